import { Alert, Anchor, Paper, Skeleton, Text, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import classes from "./App.module.css";
import { Access } from "./access/Access.tsx";
import { getInput } from "./api/client.ts";
import { keys } from "./api/queries.ts";
import type { Job } from "./api/types.ts";
import { Boundary } from "./Boundary.tsx";
import { ColourScheme } from "./ColourScheme.tsx";
import { ErrorAlert } from "./ErrorAlert.tsx";
import { NewJob, type Reused } from "./form/NewJob.tsx";
import { JobPanel } from "./jobs/JobPanel.tsx";
import { JobStatus } from "./jobs/JobStatus.tsx";
import type { Watched } from "./jobs/poll.ts";
import { RecentJobs } from "./jobs/RecentJobs.tsx";
import { ModelAbout } from "./models/ModelAbout.tsx";
import { ModelPicker } from "./models/ModelPicker.tsx";
import { useModels } from "./models/useModels.ts";
import { select, useSelection } from "./selection.ts";
import { Trouble } from "./Trouble.tsx";

export function App() {
  const selection = useSelection();
  const { data: models, error } = useModels();
  const client = useQueryClient();
  const [reused, setReused] = useState<Reused | null>(null);
  // Kept: a model that comes later and is sorted before it must not take the form away.
  const [first, setFirst] = useState<string | null>(null);
  if (first === null && models?.[0]) setFirst(models[0].name);
  const asked = selection.model ?? first;
  const model = models?.find(({ name }) => name === asked) ?? (selection.model ? undefined : models?.[0]);

  const reuse = async ({ id, model: name }: Job) => {
    const value = await client.fetchQuery({
      queryKey: keys.input(id),
      queryFn: ({ signal }) => getInput(id, signal),
      staleTime: Number.POSITIVE_INFINITY,
    });
    select({ model: name });
    setReused({ model: name, value });
    focusOn("new-title");
  };
  const submitted = (job: Job) => {
    const watched: Watched = { job, etag: null, pause: 0 };
    client.setQueryData(keys.job(job.id), watched); // seen at once, and asked for at once
    select({ job: job.id });
    void client.invalidateQueries({ queryKey: keys.jobs });
    focusOn("job-title");
  };
  const deleted = (job: Job) => {
    // The address of a job that there is not any more is nothing to come back to.
    select({ job: null }, { replace: true });
    client.removeQueries({ queryKey: keys.job(job.id) });
    client.removeQueries({ queryKey: keys.events(job.id) });
    client.removeQueries({ queryKey: keys.input(job.id) });
    void client.invalidateQueries({ queryKey: keys.jobs });
    focusOn("jobs-title");
  };

  return (
    <>
      <header className={classes["header"]}>
        <Title order={1} size="h3">
          Torchrelay
        </Title>
        <nav className={classes["links"]} aria-label="More">
          <Access />
          <Anchor href="/docs">API</Anchor>
          <ColourScheme />
        </nav>
      </header>
      <main className={classes["main"]}>
        <Paper withBorder p="md" component="section" aria-labelledby="new-title" className={classes["new"] ?? ""}>
          <Title order={2} size="h4" id="new-title" tabIndex={-1}>
            New job
          </Title>
          {error && models === undefined && <ErrorAlert error={error} />}
          {models === undefined && !error && <Loading />}
          {models?.length === 0 && <NoModels />}
          {models && models.length > 0 && (
            <ModelPicker
              models={models}
              chosen={model?.name ?? null}
              onChoose={(name, how) => select({ model: name }, how)}
            />
          )}
          {models && models.length > 0 && !model && (
            <Alert color="yellow" title={`There is no model ${asked}`}>
              No worker has brought it, or the address is not whole.
            </Alert>
          )}
          {model && (
            <>
              <ModelAbout model={model} />
              <Boundary key={model.name}>
                <NewJob model={model} reused={reused} onUsed={setReused} onSubmitted={submitted} />
              </Boundary>
            </>
          )}
        </Paper>
        <div className={classes["aside"]}>
          {selection.job && (
            <Boundary key={selection.job}>
              <JobPanel id={selection.job} onReuse={reuse} onDeleted={deleted} />
            </Boundary>
          )}
          <RecentJobs chosen={selection.job} model={selection.model} onChoose={() => focusOn("job-title")} />
        </div>
      </main>
      <JobStatus id={selection.job} />
      <Trouble />
    </>
  );
}

function Loading() {
  return (
    <>
      <Skeleton height={44} />
      <Skeleton height={44} />
      <Skeleton height={120} />
    </>
  );
}

function NoModels() {
  return (
    <Alert color="yellow" title="There is no model yet">
      <Text size="sm">A worker brings its models with it: as soon as one has started, they are here.</Text>
    </Alert>
  );
}

/** Once it is drawn. On a telephone it may be far away. */
function focusOn(id: string): void {
  requestAnimationFrame(() => {
    const target = document.getElementById(id);
    target?.focus({ preventScroll: true });
    const section = target?.closest("section");
    if (section && !isInView(section)) section.scrollIntoView({ block: "start" });
  });
}

function isInView(section: Element): boolean {
  const { top } = section.getBoundingClientRect();
  return top >= 0 && top < window.innerHeight / 2;
}
