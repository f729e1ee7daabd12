import { Paper, Skeleton, Text, Title } from "@mantine/core";
import type { MouseEvent } from "react";
import type { Job } from "../api/types.ts";
import { useNow } from "../clock.ts";
import { ErrorAlert } from "../ErrorAlert.tsx";
import { addressOf, select } from "../selection.ts";
import { ago } from "./duration.ts";
import classes from "./RecentJobs.module.css";
import { StateBadge } from "./StateBadge.tsx";
import { useJobs } from "./useJobs.ts";

interface Props {
  readonly chosen: string | null;
  readonly model: string | null;
  readonly onChoose: () => void;
}

/** The latest jobs, those of programs too. Each is a link: it can be opened in a tab of its own. */
export function RecentJobs({ chosen, model, onChoose }: Props) {
  const { data: jobs, error } = useJobs();
  const now = useNow();
  const open = (job: Job) => (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    select({ job: job.id });
    onChoose();
  };
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="jobs-title" className={classes["panel"] ?? ""}>
      <Title order={2} size="h4" id="jobs-title" tabIndex={-1}>
        Recent jobs
      </Title>
      {jobs === undefined && (error ? <ErrorAlert error={error} /> : <Skeleton height={120} />)}
      {jobs?.length === 0 && (
        <Text size="sm" c="dimmed">
          None yet. What is submitted, here or over the API, is listed here.
        </Text>
      )}
      <ul className={classes["jobs"]}>
        {jobs?.map((job) => (
          <li key={job.id}>
            <a
              href={addressOf({ model, job: job.id })}
              onClick={open(job)}
              aria-current={job.id === chosen ? "true" : undefined}
              className={classes["job"]}
            >
              <span className={classes["model"]}>{job.model}</span>
              <span className={classes["time"]}>{ago(now - Date.parse(job.created_at))}</span>
              <StateBadge state={job.state} small />
            </a>
          </li>
        ))}
      </ul>
    </Paper>
  );
}
