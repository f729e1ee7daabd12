import type { Job } from "../api/types.ts";
import { useNow } from "../clock.ts";
import { duration, longDuration } from "./duration.ts";
import { isFinished } from "./states.ts";

/** How long a job has waited and run. */
export function Times({ job }: { readonly job: Job }) {
  return isFinished(job.state) ? finishedTimes(job) : <GoingOn job={job} />;
}

function GoingOn({ job }: { readonly job: Job }) {
  const now = useNow();
  const created = Date.parse(job.created_at);
  if (job.state === "queued" || job.started_at === null) return `waiting for ${longDuration(now - created)}`;
  return `running for ${longDuration(now - Date.parse(job.started_at))}`;
}

function finishedTimes(job: Job): string {
  const created = Date.parse(job.created_at);
  const finished = Date.parse(job.finished_at ?? job.created_at);
  if (job.started_at === null) return `ended after ${duration(finished - created)}`;
  const started = Date.parse(job.started_at);
  return `ran for ${duration(finished - started)}, after waiting for ${duration(started - created)}`;
}
