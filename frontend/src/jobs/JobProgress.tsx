import { Progress, Text } from "@mantine/core";
import type { Job } from "../api/types.ts";
import classes from "./JobProgress.module.css";

/** How far a job is. It has the same height in each state that goes on. */
export function JobProgress({ job }: { readonly job: Job }) {
  const fraction = job.state === "queued" ? null : (job.progress?.fraction ?? null);
  const percent = fraction === null ? null : Math.round(Math.min(1, Math.max(0, fraction)) * 100);
  return (
    <div className={classes["progress"]}>
      <Progress.Root size="md" className={classes["bar"] ?? ""}>
        <Progress.Section
          value={job.state === "queued" ? 0 : (percent ?? 100)}
          animated={percent === null && job.state !== "queued"}
          aria-label="Progress of the job"
          {...(percent === null ? { "aria-valuenow": undefined, "aria-valuetext": "not known" } : {})}
        />
      </Progress.Root>
      <Text size="sm" c="dimmed" className={classes["message"] ?? ""}>
        {[percent === null ? "" : `${percent} %`, lineOf(job)].filter(Boolean).join(" · ")}
      </Text>
    </div>
  );
}

function lineOf(job: Job): string {
  if (job.state === "cancelling") return "It is asked to stop.";
  if (job.state === "running")
    return job.progress?.message ?? (job.started_at === null ? "A worker has taken it." : "");
  if (job.queue_position === null) return "";
  return job.queue_position === 1 ? "It is next in the queue." : `Number ${job.queue_position} in the queue.`;
}
