import { screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { createQueryClient, keys } from "../api/queries.ts";
import type { Job } from "../api/types.ts";
import { JOB, json, problem, RUNNING, serve } from "../testing/api.ts";
import { show } from "../testing/render.tsx";
import { JobPanel } from "./JobPanel.tsx";
import { JobStatus } from "./JobStatus.tsx";
import { RecentJobs } from "./RecentJobs.tsx";

const FAILED: Job = { ...RUNNING, state: "failed", finished_at: "2026-01-05T09:30:09Z" };

function page(client = createQueryClient()) {
  show(
    <>
      <JobPanel id={JOB.id} onReuse={async () => undefined} onDeleted={() => undefined} />
      <JobStatus id={JOB.id} />
      <RecentJobs chosen={null} model={null} onChoose={() => undefined} />
    </>,
    client,
  );
  return client;
}

test("a job that had failed, and that somebody else has retried, is followed again", async () => {
  let job = FAILED;
  serve(({ path }) => (path === "/v1/jobs" ? json({ jobs: [job], next_cursor: null }) : json(job)));
  const client = page();
  expect(await screen.findByText("Job of reverse: failed")).toBeInTheDocument();

  job = RUNNING;
  await client.invalidateQueries({ queryKey: keys.jobs });

  expect(await screen.findByText("Job of reverse: running")).toBeInTheDocument();
});

test("a job that had failed is looked up anew when it is shown again", async () => {
  const client = createQueryClient();
  client.setQueryData(keys.job(JOB.id), { job: FAILED, etag: null, pause: 0 }, { updatedAt: 1 });
  serve(({ path }) => (path === "/v1/jobs" ? json({ jobs: [], next_cursor: null }) : json(RUNNING)));

  page(client);

  expect(await screen.findByText("Job of reverse: running")).toBeInTheDocument();
});

test("a list that is refused is said", async () => {
  serve(() => problem(403, { title: "Not for you" }));

  show(<RecentJobs chosen={null} model={null} onChoose={() => undefined} />);

  expect(await screen.findByText("Not for you")).toBeVisible();
});
