import { Alert, Group, Paper, Skeleton, Text, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { ApiProblem } from "../api/failures.ts";
import { keys } from "../api/queries.ts";
import type { Job } from "../api/types.ts";
import { ResultView } from "../results/ResultView.tsx";
import { JobActions } from "./JobActions.tsx";
import { JobEvents } from "./JobEvents.tsx";
import { JobFailure } from "./JobFailure.tsx";
import classes from "./JobPanel.module.css";
import { JobProgress } from "./JobProgress.tsx";
import { StateBadge } from "./StateBadge.tsx";
import { isFinished, STATES } from "./states.ts";
import { KeptUntil, Times } from "./Times.tsx";
import { useEvents } from "./useEvents.ts";
import { useJob } from "./useJob.ts";

interface Props {
  readonly id: string;
  /** Ends once the input is in the form. */
  readonly onReuse: (job: Job) => Promise<void>;
  readonly onDeleted: (job: Job) => void;
}

/** One job, from its submission to its result. */
export function JobPanel({ id, ...does }: Props) {
  const { data: last, error } = useJob(id);
  // What was known of a job that is refused now is no longer how it is.
  const data = error === null ? last : undefined;
  const client = useQueryClient();
  const state = data?.job.state;
  useEffect(() => {
    // What is seen here is in the list, too.
    if (state !== undefined) void client.invalidateQueries({ queryKey: keys.jobs });
  }, [client, state]);
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="job-title" className={classes["panel"] ?? ""}>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Title order={2} size="h4" id="job-title" tabIndex={-1} className={classes["title"] ?? ""}>
          {last?.job.model ?? "Job"}
        </Title>
        {data && <StateBadge state={data.job.state} />}
      </Group>
      {data ? <JobCard job={data.job} {...does} /> : <NoJob id={id} error={error} />}
    </Paper>
  );
}

function NoJob({ id, error }: { readonly id: string; readonly error: Error | null }) {
  if (error === null) {
    return (
      <>
        <Skeleton height={18} width="40%" />
        <Skeleton height={8} />
        <Skeleton height={18} width="60%" />
      </>
    );
  }
  return (
    <Alert color="red" title={error.message}>
      {error instanceof ApiProblem && error.status === 404
        ? `There is no job ${id}: it may have been removed, or the address is not whole.`
        : error instanceof ApiProblem && error.detail}
    </Alert>
  );
}

interface OfJob extends Omit<Props, "id"> {
  readonly job: Job;
}

function JobCard({ job, ...does }: OfJob) {
  const events = useEvents(job);
  return (
    <>
      <Text size="sm" c="dimmed" className={classes["about"] ?? ""}>
        <Times job={job} moves={events.moves} />
        {job.attempt > 1 && `, attempt ${job.attempt}`}
        {isFinished(job.state) && job.purge_at !== null && <KeptUntil job={job} />}
      </Text>
      {!isFinished(job.state) && <JobProgress job={job} />}
      {job.error && <JobFailure error={job.error} />}
      {job.state === "expired" && !job.error && (
        <Alert color="yellow" title="It waited longer than it was allowed to">
          See whether a worker serves the model; then retry.
        </Alert>
      )}
      {job.state === "cancelled" && <Text size="sm">It was {STATES.cancelled.meaning}.</Text>}
      {job.state === "succeeded" && <ResultView job={job} />}
      <JobActions job={job} {...does} />
      <JobEvents events={events} />
    </>
  );
}
