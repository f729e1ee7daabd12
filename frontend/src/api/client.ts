import createClient from "openapi-fetch";
import { authorization } from "./credentials.ts";
import { ApiProblem } from "./failures.ts";
import type { paths } from "./schema.d.ts";
import { patient, reached, request } from "./transport.ts";
import type { Job, Json, Model } from "./types.ts";

const client = createClient<paths>({ baseUrl: window.location.origin });

export interface JobAnswer {
  /** null: nothing has changed (304). */
  readonly job: Job | null;
  readonly etag: string | null;
  readonly retryAfter: string | null;
}

export async function listModels(signal: AbortSignal): Promise<readonly Model[]> {
  return (await answered(client.GET("/v1/models", { ...patient(signal) }), signal)).data.models;
}

export async function listJobs(limit: number, signal: AbortSignal): Promise<readonly Job[]> {
  const call = client.GET("/v1/jobs", { params: { query: { limit } }, ...patient(signal) });
  return (await answered(call, signal)).data.jobs;
}

/** wait: seconds that the server shall wait for news, if what `etag` stands for is still how it is. */
export async function getJob(
  id: string,
  known: { readonly etag: string; readonly wait: number } | null,
  signal: AbortSignal,
): Promise<JobAnswer> {
  const call = client.GET("/v1/jobs/{job_id}", {
    params: {
      path: { job_id: id },
      query: known ? { wait: known.wait } : {},
      header: known ? { "If-None-Match": known.etag } : {},
    },
    cache: "no-store", // the ETag is ours to send, and the 304 ours to see
    ...patient(signal, known?.wait),
  });
  const { data, response } = await answered(call, signal);
  return {
    job: response.status === 304 ? null : data,
    etag: response.headers.get("ETag"),
    retryAfter: response.headers.get("Retry-After"),
  };
}

export async function getInput(id: string, signal: AbortSignal): Promise<Json> {
  const call = client.GET("/v1/jobs/{job_id}", {
    params: { path: { job_id: id }, query: { include: "input" } },
    ...patient(signal),
  });
  return ((await answered(call, signal)).data.input ?? null) as Json;
}

/** idempotencyKey: repeated with the same one, a submission is stored once. */
export async function submitJob(model: string, input: Json, idempotencyKey: string): Promise<Job> {
  const call = client.POST("/v1/jobs", {
    body: { model, input, task: "inference" },
    headers: { "Idempotency-Key": idempotencyKey },
    ...patient(),
  });
  return (await answered(call)).data;
}

export async function cancelJob(id: string): Promise<Job> {
  const call = client.POST("/v1/jobs/{job_id}/cancel", { params: { path: { job_id: id } }, ...patient() });
  return (await answered(call)).data;
}

export async function retryJob(id: string): Promise<Job> {
  const call = client.POST("/v1/jobs/{job_id}/retry", { params: { path: { job_id: id } }, ...patient() });
  return (await answered(call)).data;
}

/** Throws ApiProblem (401) where the key is none. One whose scopes do not allow to read is a key all the same. */
export async function checkKey(key: string): Promise<void> {
  try {
    await request("/v1/jobs?limit=1", { headers: authorization(key) });
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 403) throw error;
  }
}

/** A finished one, with its result and its uploads. */
export async function deleteJob(id: string): Promise<void> {
  await request(`/v1/jobs/${id}`, { method: "DELETE" });
}

interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** Throws ApiProblem or Unreachable; what `signal` has ended, is thrown as it is. */
async function answered<T>(call: Promise<Answer<T>>, signal?: AbortSignal): Promise<{ data: T; response: Response }> {
  const { data, error, response } = await reached(call, signal);
  if (!response.ok && response.status !== 304) throw new ApiProblem(response, error);
  return { data: data as T, response };
}
