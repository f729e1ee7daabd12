import { screen, waitFor, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { JobEvent } from "../api/events.ts";
import { createQueryClient, keys } from "../api/queries.ts";
import type { Job } from "../api/types.ts";
import { type Asked, JOB, json, RUNNING, SUCCEEDED, serve } from "../testing/api.ts";
import { show } from "../testing/render.tsx";
import { JobPanel } from "./JobPanel.tsx";
import { chartsOf } from "./measured.ts";
import { MOST_LINES } from "./useEvents.ts";

let asked: Asked[];

function event(seq: number, type: JobEvent["type"], data: JobEvent["data"], second = seq): JobEvent {
  return { seq, type, at: new Date(Date.UTC(2026, 0, 5, 9, 30, second)).toISOString(), data };
}

const state = (seq: number, name: string, attempt: number, second?: number) =>
  event(seq, "state", { state: name, attempt }, second);

/** In answers of a hundred at most. */
function panel(job: () => Job, events: () => readonly JobEvent[], client = createQueryClient()) {
  asked = [];
  serve(
    () => json(job(), { headers: { ETag: 'W/"1"' } }),
    (question) => {
      asked.push(question);
      const after = Number(question.query.get("after"));
      return json({
        events: events()
          .filter(({ seq }) => seq > after)
          .slice(0, 100),
        last_seq: 0,
      });
    },
  );
  show(<JobPanel id={JOB.id} onReuse={async () => undefined} onDeleted={() => undefined} />, client);
  return client;
}

test("what the model has said is a log, and how it went a line of states", async () => {
  panel(
    () => SUCCEEDED,
    () => [
      state(1, "queued", 0),
      state(2, "running", 1),
      event(3, "log", { level: "info", message: "epoch 1" }),
      event(4, "log", { level: "warning", message: "nearly full" }),
      state(5, "queued", 1),
      state(6, "running", 2),
      state(7, "succeeded", 2),
    ],
  );

  const log = within(await screen.findByRole("region", { name: "Log" }));
  expect(log.getAllByRole("listitem").map((line) => line.textContent?.slice(8))).toEqual([
    "epoch 1",
    "warning nearly full",
  ]);
  const states = within(screen.getByRole("list", { name: "Its states until now" })).getAllByRole("listitem");
  expect(states.map((one) => one.textContent?.replace(/ [\d:]+$/, ""))).toEqual([
    "queued",
    "running",
    "queued",
    "running, attempt 2",
    "succeeded",
  ]);
});

test("where nothing was said there is neither log nor chart", async () => {
  panel(
    () => SUCCEEDED,
    () => [state(1, "queued", 0), state(2, "running", 1), state(3, "succeeded", 1)],
  );

  expect(await screen.findByRole("list", { name: "Its states until now" })).toBeVisible();
  expect(screen.queryByRole("region", { name: "Log" })).toBeNull();
  expect(screen.queryByRole("region", { name: "Metrics" })).toBeNull();
});

test("metrics are drawn", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined); // jsdom gives charts no room
  panel(
    () => SUCCEEDED,
    () => [
      event(1, "metrics", { values: { loss: 0.5 }, step: 1 }),
      event(2, "metrics", { values: { loss: 0.25 }, step: 2 }),
      state(3, "succeeded", 1),
    ],
  );

  const metrics = within(await screen.findByRole("region", { name: "Metrics" }));
  expect(await metrics.findByText("0.25 at step 2")).toBeVisible();
});

test("a long log is fetched to its end, and only the latest lines are kept", async () => {
  const lines = Array.from({ length: MOST_LINES + 200 }, (_, place) =>
    event(place + 1, "log", { level: "info", message: `line ${place + 1}` }, 1),
  );
  panel(
    () => SUCCEEDED,
    () => [...lines, state(lines.length + 1, "succeeded", 1)],
  );

  expect(await screen.findByText(`line ${lines.length}`)).toBeInTheDocument();
  expect(screen.queryByText("line 200")).toBeNull();
  expect(screen.getByText("line 201")).toBeInTheDocument();
  expect(screen.getByText(/the last 1000 lines/)).toBeVisible();
});

test("only what is new is asked for, and what was said last comes with the end", async () => {
  let job = RUNNING;
  let events = [state(1, "queued", 0), state(2, "running", 1), event(3, "log", { level: "info", message: "begun" })];
  const client = panel(
    () => job,
    () => events,
  );
  expect(await screen.findByText("begun")).toBeVisible();

  job = SUCCEEDED;
  events = [...events, event(4, "log", { level: "info", message: "done" }), state(5, "succeeded", 1)];
  await client.invalidateQueries({ queryKey: keys.job(JOB.id) });

  expect(await screen.findByText("done")).toBeVisible();
  expect(screen.getByText("begun")).toBeVisible();
  expect(asked.map(({ query }) => query.get("after"))).toEqual(["0", "3"]);
});

test("a job that is retried waits anew", async () => {
  panel(
    () => ({ ...SUCCEEDED, attempt: 2, started_at: "2026-01-05T09:40:02Z", finished_at: "2026-01-05T09:40:03Z" }),
    () => [
      state(1, "queued", 0, 0),
      state(2, "running", 1, 1),
      state(3, "failed", 1, 2),
      state(4, "queued", 1, 600),
      state(5, "running", 2, 602),
      state(6, "succeeded", 2, 603),
    ],
  );

  await waitFor(() => expect(screen.getByText(/ran for 1.0 s, after waiting for 2.0 s/)).toBeVisible());
});

test("of many measurements as many are drawn as can be told apart, and the last one is among them", () => {
  const measured = Array.from({ length: 1000 }, (_, place) => ({
    seq: place + 1,
    step: null,
    values: { loss: place, accuracy: -place },
  }));

  const charts = chartsOf(measured);

  expect(charts.map(({ name }) => name)).toEqual(["loss", "accuracy"]);
  expect(charts[0]?.points.length).toBeLessThanOrEqual(300);
  expect(charts[0]?.points.at(-1)).toEqual({ step: 1000, value: 999 });
});

test("a step that a second attempt repeats has its latest value", () => {
  const at = (seq: number, step: number, loss: number) => ({ seq, step, values: { loss } });

  expect(chartsOf([at(1, 1, 5), at(2, 2, 4), at(3, 1, 3)])).toEqual([
    {
      name: "loss",
      points: [
        { step: 1, value: 3 },
        { step: 2, value: 4 },
      ],
    },
  ]);
});
