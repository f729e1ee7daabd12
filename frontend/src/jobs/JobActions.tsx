import { Anchor, Button, Group, Text, VisuallyHidden } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { cancelJob, deleteJob, retryJob } from "../api/client.ts";
import { useAccess } from "../api/credentials.ts";
import { ApiProblem } from "../api/failures.ts";
import { keys } from "../api/queries.ts";
import type { Job } from "../api/types.ts";
import { ErrorAlert } from "../ErrorAlert.tsx";
import classes from "./JobActions.module.css";
import { canBeCancelled, canBeRetried, isFinished } from "./states.ts";

interface Props {
  readonly job: Job;
  /** Ends once the input is in the form. */
  readonly onReuse: (job: Job) => Promise<void>;
  readonly onDeleted: (job: Job) => void;
}

/** What can be done with a job in the state that it is in. */
export function JobActions({ job, onReuse, onDeleted }: Props) {
  const client = useQueryClient();
  const [deleting, setDeleting] = useState(false);
  // The answer is not looked at: the next question, which is asked at once, brings it with its ETag.
  const onSettled = () => client.invalidateQueries({ queryKey: keys.job(job.id) });
  const cancel = useMutation({ mutationFn: () => cancelJob(job.id), onSettled });
  const retry = useMutation({ mutationFn: () => retryJob(job.id), onSettled });
  const reuse = useMutation({ mutationFn: () => onReuse(job) });
  const remove = useMutation({
    mutationFn: () => deleted(job.id),
    onSuccess: () => onDeleted(job),
    onError: () => setDeleting(false),
  });
  const failure = cancel.error ?? retry.error ?? reuse.error ?? remove.error;
  return (
    <>
      <div role="alert" className={classes["live"]}>
        {failure && <ErrorAlert error={failure} />}
      </div>
      {deleting && isFinished(job.state) ? (
        <Confirmation busy={remove.isPending} onDelete={() => remove.mutate()} onKeep={() => setDeleting(false)} />
      ) : (
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
          {isFinished(job.state) && (
            <Button variant="subtle" color="red" size="xs" onClick={() => setDeleting(true)}>
              Delete
            </Button>
          )}
          <JobLink job={job} />
        </Group>
      )}
    </>
  );
}

interface ConfirmationProps {
  readonly busy: boolean;
  readonly onDelete: () => void;
  readonly onKeep: () => void;
}

/** It has the focus where nothing is lost. */
function Confirmation({ busy, onDelete, onKeep }: ConfirmationProps) {
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => keep.current?.focus(), []);
  return (
    <div role="alertdialog" aria-labelledby="delete-question" className={classes["confirmation"]}>
      <Text size="sm" id="delete-question">
        Delete this job, its input and its result? They cannot be brought back.
      </Text>
      <Group gap="xs">
        <Button color="red.9" size="xs" loading={busy} onClick={onDelete}>
          Delete for good
        </Button>
        <Button ref={keep} variant="default" size="xs" onClick={onKeep}>
          Keep
        </Button>
      </Group>
    </div>
  );
}

/** A browser's own link carries no key: where one is needed, the address stands there to be copied. */
function JobLink({ job }: { readonly job: Job }) {
  const { key } = useAccess();
  const short = `/v1/jobs/…${job.id.slice(-8)}`;
  if (key !== null) {
    return (
      <Text size="sm" c="dimmed" className={classes["link"] ?? ""} title={job.urls.self}>
        {short}
      </Text>
    );
  }
  return (
    <Anchor href={job.urls.self} target="_blank" size="sm" className={classes["link"] ?? ""} title={job.id}>
      {short}
      <VisuallyHidden>, the job in the API, opens in a new tab</VisuallyHidden>
    </Anchor>
  );
}

/** One that is gone already is what was asked for. */
async function deleted(id: string): Promise<void> {
  try {
    await deleteJob(id);
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
  }
}
