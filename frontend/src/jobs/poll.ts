import { getJob } from "../api/client.ts";
import { seconds } from "../api/failures.ts";
import type { Job } from "../api/types.ts";
import { isFinished } from "./states.ts";

/** Seconds that the server is asked to wait for news: below what proxies allow a request. */
export const WAIT = 25;
/** Milliseconds between an answer with news and the next question: a chatty model is not asked at every word. */
export const GAP = 300;
/** Milliseconds, where an answer without news says nothing of when to come again. */
export const DEFAULT_PAUSE = 1000;

export interface Watched {
  readonly job: Job;
  readonly etag: string | null;
  /** Milliseconds until the next question. */
  readonly pause: number;
}

/** The next answer about a job. The first question is answered at once; the later ones when something has changed. */
export async function ask(id: string, known: Watched | undefined, signal: AbortSignal): Promise<Watched> {
  const waits = known?.etag && !isFinished(known.job.state) ? { etag: known.etag, wait: WAIT } : null;
  const began = performance.now();
  const { job, etag, retryAfter } = await getJob(id, waits, signal);
  if (job !== null) return { job, etag, pause: GAP };
  if (known === undefined) throw new Error("a 304 to a question without an ETag");
  // Nothing new, and answered early: this server will not be waited at now, and says when to ask instead.
  const early = performance.now() - began < (WAIT * 1000) / 2;
  const asked = (seconds(retryAfter) ?? 0) * 1000;
  return { ...known, pause: early ? Math.max(asked, DEFAULT_PAUSE) : GAP };
}
