import { vi } from "vitest";
import type { Job, Model } from "../api/types.ts";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: unknown;
  readonly signal: AbortSignal;
}

type Answer = Response | Promise<Response>;

/**
 * Puts `answer` in the place of the API. Returns what it has been asked so far; not for jobs' events, which have their own
 * `events`, and are none unless a test is about them.
 */
export function serve(answer: (asked: Asked) => Answer, events: (asked: Asked) => Answer = noEvents): Asked[] {
  const all: Asked[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const url = new URL(request.url);
    const text = await request.text();
    const asked: Asked = {
      method: request.method,
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: text ? JSON.parse(text) : undefined,
      signal: request.signal,
    };
    if (url.pathname.endsWith("/events")) return events(asked);
    all.push(asked);
    return answer(asked);
  });
  return all;
}

function noEvents(): Response {
  return json({ events: [], last_seq: 0 });
}

export function json(
  body: unknown,
  { status = 200, headers = {} }: { status?: number; headers?: HeadersInit } = {},
): Response {
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });
}

export function problem(status: number, body: Record<string, unknown>, headers: HeadersInit = {}): Response {
  return json({ type: "about:blank", code: "any", status, ...body }, { status, headers });
}

export const JOB: Job = {
  id: "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55",
  task: "inference",
  model: "reverse",
  version: 1,
  state: "queued",
  queue: "reverse",
  progress: null,
  attempt: 0,
  charged: 0,
  max_attempts: 3,
  result: null,
  result_url: null,
  error: null,
  metadata: null,
  batch_id: null,
  queue_position: null,
  created_at: "2026-01-05T09:30:00Z",
  started_at: null,
  finished_at: null,
  queue_deadline: "2026-01-06T09:30:00Z",
  purge_at: null,
  urls: {
    self: "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55",
    result: "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55/result",
    cancel: "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55/cancel",
    retry: "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55/retry",
    events: "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55/events",
  },
};

export const RUNNING: Job = { ...JOB, state: "running", attempt: 1, started_at: "2026-01-05T09:30:01Z" };

export const SUCCEEDED: Job = {
  ...RUNNING,
  state: "succeeded",
  finished_at: "2026-01-05T09:30:03Z",
  result: { text: "cba" },
};

export const MODEL: Model = {
  name: "reverse",
  description: "Turns a text around.",
  queue: "reverse",
  tasks: ["inference"],
  versions: [{ version: 1, state: "ready", default: true, metrics: null, live_workers: 1, error: null }],
  input_schema: {
    type: "object",
    required: ["text"],
    properties: { text: { type: "string", title: "Text", minLength: 1, maxLength: 100 } },
  },
  output_schema: { type: "object" },
  training_schema: null,
  example: { text: "abc" },
  live_workers: 1,
};
