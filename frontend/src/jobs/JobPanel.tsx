import { Alert, Anchor, Button, Group, Paper, Skeleton, Text, Title, VisuallyHidden } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { cancelJob, retryJob } from "../api/client.ts";
import { ApiProblem } from "../api/failures.ts";
import { keys } from "../api/queries.ts";
import type { Job } from "../api/types.ts";
import { ResultView } from "../results/ResultView.tsx";
import { JobFailure } from "./JobFailure.tsx";
import classes from "./JobPanel.module.css";
import { JobProgress } from "./JobProgress.tsx";
import { StateBadge } from "./StateBadge.tsx";
import { canBeCancelled, canBeRetried, isFinished, STATES } from "./states.ts";
import { Times } from "./Times.tsx";
import { useJob } from "./useJob.ts";

interface Props {
  readonly id: string;
  /** Ends once the input is in the form. */
  readonly onReuse: (job: Job) => Promise<void>;
}

/** One job, from its submission to its result. */
export function JobPanel({ id, onReuse }: Props) {
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
      {data ? <JobCard job={data.job} onReuse={onReuse} /> : <NoJob id={id} error={error} />}
      <VisuallyHidden role="status">{data && `Job of ${data.job.model}: ${data.job.state}`}</VisuallyHidden>
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

interface OfJob extends Pick<Props, "onReuse"> {
  readonly job: Job;
}

function JobCard({ job, onReuse }: OfJob) {
  return (
    <>
      <Text size="sm" c="dimmed" className={classes["about"] ?? ""}>
        <Times job={job} />
        {job.attempt > 1 && `, attempt ${job.attempt}`}
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
      <Actions job={job} onReuse={onReuse} />
    </>
  );
}

function Actions({ job, onReuse }: OfJob) {
  const client = useQueryClient();
  // The answer is not looked at: the next question, which is asked at once, brings it with its ETag.
  const onSettled = () => client.invalidateQueries({ queryKey: keys.job(job.id) });
  const cancel = useMutation({ mutationFn: () => cancelJob(job.id), onSettled });
  const retry = useMutation({ mutationFn: () => retryJob(job.id), onSettled });
  const reuse = useMutation({ mutationFn: () => onReuse(job) });
  const failure = cancel.error ?? retry.error ?? reuse.error;
  return (
    <>
      {failure && (
        <Alert color="red" title={failure.message} role="alert">
          {failure instanceof ApiProblem && failure.detail}
        </Alert>
      )}
      <Group gap="xs">
        {canBeCancelled(job.state) && (
          <Button variant="light" color="red" size="xs" loading={cancel.isPending} onClick={() => cancel.mutate()}>
            Cancel
          </Button>
        )}
        {canBeRetried(job.state) && (
          <Button variant="default" size="xs" loading={retry.isPending} onClick={() => retry.mutate()}>
            Retry
          </Button>
        )}
        <Button variant="default" size="xs" loading={reuse.isPending} onClick={() => reuse.mutate()}>
          Use this input again
        </Button>
        <Anchor href={job.urls.self} target="_blank" size="sm" className={classes["link"] ?? ""} title={job.id}>
          {`/v1/jobs/…${job.id.slice(-8)}`}
          <VisuallyHidden>, the job in the API, opens in a new tab</VisuallyHidden>
        </Anchor>
      </Group>
    </>
  );
}
