import createClient from "openapi-fetch";
import { observeServerTime } from "../clock.ts";
import { ApiProblem, Unreachable } from "./failures.ts";
import type { paths } from "./schema.d.ts";
import type { Job, Json, Model } from "./types.ts";

// Looked up at each call, so that a test can put its own in place.
const client = createClient<paths>({
  baseUrl: window.location.origin,
  fetch: (request) => globalThis.fetch(request),
});

/** Milliseconds that an answer may take beyond the time it was asked to wait: then the connection is taken for dead. */
const PATIENCE = 15_000;

export interface JobAnswer {
  /** null: nothing has changed (304). */
  readonly job: Job | null;
  readonly etag: string | null;
  readonly retryAfter: string | null;
}

export async function listModels(signal: AbortSignal): Promise<readonly Model[]> {
  return (await answered(client.GET("/v1/models", { signal: within(signal) }), signal)).data.models;
}

export async function listJobs(limit: number, signal: AbortSignal): Promise<readonly Job[]> {
  const call = client.GET("/v1/jobs", { params: { query: { limit } }, signal: within(signal) });
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
    signal: within(signal, known?.wait),
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
    signal: within(signal),
  });
  return ((await answered(call, signal)).data.input ?? null) as Json;
}

export async function submitJob(model: string, input: Json): Promise<Job> {
  return (await answered(client.POST("/v1/jobs", { body: { model, input, task: "inference" }, signal: within() })))
    .data;
}

export async function cancelJob(id: string): Promise<Job> {
  const call = client.POST("/v1/jobs/{job_id}/cancel", { params: { path: { job_id: id } }, signal: within() });
  return (await answered(call)).data;
}

export async function retryJob(id: string): Promise<Job> {
  const call = client.POST("/v1/jobs/{job_id}/retry", { params: { path: { job_id: id } }, signal: within() });
  return (await answered(call)).data;
}

function within(signal?: AbortSignal, wait = 0): AbortSignal {
  const timeout = AbortSignal.timeout(wait * 1000 + PATIENCE);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}

interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** Throws ApiProblem or Unreachable; what `signal` has ended, is thrown as it is. */
async function answered<T>(call: Promise<Answer<T>>, signal?: AbortSignal): Promise<{ data: T; response: Response }> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (error) {
    throw signal?.aborted ? error : new Unreachable(error);
  }
  observeServerTime(answer.response.headers.get("Date"));
  if (!answer.response.ok && answer.response.status !== 304) throw new ApiProblem(answer.response, answer.error);
  return { data: answer.data as T, response: answer.response };
}
