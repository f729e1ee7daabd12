import { Alert, Anchor, Paper, Skeleton, Text, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import classes from "./App.module.css";
import { getInput } from "./api/client.ts";
import { keys } from "./api/queries.ts";
import type { Job, Json, Model } from "./api/types.ts";
import { Boundary } from "./Boundary.tsx";
import { ColourScheme } from "./ColourScheme.tsx";
import { ModelForm } from "./form/ModelForm.tsx";
import { JobPanel } from "./jobs/JobPanel.tsx";
import type { Watched } from "./jobs/poll.ts";
import { RecentJobs } from "./jobs/RecentJobs.tsx";
import { ModelAbout } from "./models/ModelAbout.tsx";
import { ModelPicker } from "./models/ModelPicker.tsx";
import { useModels } from "./models/useModels.ts";
import { select, useSelection } from "./selection.ts";
import { Trouble } from "./Trouble.tsx";

/** An input to begin with, for one model. */
interface Reused {
  readonly model: string;
  readonly value: Json;
}

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

  return (
    <>
      <header className={classes["header"]}>
        <Title order={1} size="h3">
          Torchrelay
        </Title>
        <nav className={classes["links"]} aria-label="More">
          <Anchor href="/docs">API</Anchor>
          <ColourScheme />
        </nav>
      </header>
      <main className={classes["main"]}>
        <Paper withBorder p="md" component="section" aria-labelledby="new-title" className={classes["new"] ?? ""}>
          <Title order={2} size="h4" id="new-title" tabIndex={-1}>
            New job
          </Title>
          {error && models === undefined && <Alert color="red" title={error.message} />}
          {models === undefined && !error && <Loading />}
          {models?.length === 0 && <NoModels />}
          {models && models.length > 0 && (
            <ModelPicker models={models} chosen={model?.name ?? null} onChoose={(name) => select({ model: name })} />
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
              <JobPanel id={selection.job} onReuse={reuse} />
            </Boundary>
          )}
          <RecentJobs chosen={selection.job} model={selection.model} onChoose={() => focusOn("job-title")} />
        </div>
      </main>
      <Trouble />
    </>
  );
}

interface NewJobProps {
  readonly model: Model;
  readonly reused: Reused | null;
  /** Once it is in the form, it is done with: coming back to the model later begins with an empty form. */
  readonly onUsed: (left: null) => void;
  readonly onSubmitted: (job: Job) => void;
}

/** A form is made anew for each model, for a schema that has changed, and for an input that is to be used again. */
function NewJob({ model, reused, onUsed, onSubmitted }: NewJobProps) {
  const input = reused?.model === model.name ? reused : null;
  const [made, setMade] = useState({ input, count: 0 });
  if (input !== null && made.input !== input) setMade({ input, count: made.count + 1 });
  useEffect(() => {
    if (input !== null) onUsed(null);
  }, [input, onUsed]);
  const key = `${model.name} ${JSON.stringify(model.input_schema)} ${made.count}`;
  return <ModelForm key={key} model={model} input={input} onSubmitted={onSubmitted} />;
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
