import type { StateMove } from "../api/events.ts";
import type { Job } from "../api/types.ts";
import { useNow } from "../clock.ts";
import { duration, longDuration } from "./duration.ts";
import { isFinished } from "./states.ts";

interface Props {
  readonly job: Job;
  /** From state to state, as far as that is known. */
  readonly moves: readonly StateMove[];
}

/** How long a job has waited and run. */
export function Times({ job, moves }: Props) {
  const queued = queuedAt(job, moves);
  return isFinished(job.state) ? finishedTimes(job, queued) : <GoingOn job={job} queued={queued} />;
}

/** When what is kept of it goes: first the result, then the rest. */
export function KeptUntil({ job }: { readonly job: Job }) {
  if (job.purge_at === null) return null;
  return (
    <>
      ; kept until <time dateTime={job.purge_at}>{DATE.format(Date.parse(job.purge_at))}</time>
    </>
  );
}

const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });

function GoingOn({ job, queued }: { readonly job: Job; readonly queued: number }) {
  const now = useNow();
  if (job.state === "queued" || job.started_at === null) return `waiting for ${longDuration(now - queued)}`;
  return `running for ${longDuration(now - Date.parse(job.started_at))}`;
}

function finishedTimes(job: Job, queued: number): string {
  const finished = Date.parse(job.finished_at ?? job.created_at);
  const started = job.started_at === null ? Number.NaN : Date.parse(job.started_at);
  // One that was retried, and then cancelled or expired before anybody took it, has the start of the time before.
  if (Number.isNaN(started) || started < queued) return `ended after ${duration(finished - queued)}`;
  return `ran for ${duration(finished - started)}, after waiting for ${duration(started - queued)}`;
}

/** A job that is retried waits anew. */
function queuedAt(job: Job, moves: readonly StateMove[]): number {
  return Date.parse(moves.findLast(({ state }) => state === "queued")?.at ?? job.created_at);
}
