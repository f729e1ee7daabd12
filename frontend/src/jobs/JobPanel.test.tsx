import { act, screen } from "@testing-library/react";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createQueryClient, keys } from "../api/queries.ts";
import type { Job } from "../api/types.ts";
import { type Asked, JOB, json, problem, RUNNING, SUCCEEDED, serve } from "../testing/api.ts";
import { show, within } from "../testing/render.tsx";
import { JobPanel } from "./JobPanel.tsx";
import { JobStatus } from "./JobStatus.tsx";
import { DEFAULT_PAUSE, GAP, WAIT } from "./poll.ts";

const TURNS = 10;
const deleted = vi.fn();
const realTimeout = setTimeout;
const realTurn = () => new Promise((resolve) => realTimeout(resolve, 0));
const NOTHING = new Promise<Response>(() => undefined);

function panel() {
  return show(
    <>
      <JobStatus id={JOB.id} />
      <JobPanel id={JOB.id} onReuse={async () => undefined} onDeleted={deleted} />
    </>,
  );
}

async function pass(milliseconds: number): Promise<void> {
  await act(async () => {
    await vi.advanceTimersByTimeAsync(milliseconds);
    // Bodies are read outside of the clock's reach; what is drawn then, is drawn a millisecond later.
    for (let turn = 0; turn < TURNS; turn++) await realTurn();
    await vi.advanceTimersByTimeAsync(1);
  });
}

function state(): string | null {
  return screen.getByRole("status").textContent;
}

/** Answers one after another; after the last one, none. */
function script(...answers: (() => Response | Promise<Response>)[]): Asked[] {
  const left = [...answers];
  return serve(() => left.shift()?.() ?? NOTHING);
}

const answer =
  (job: Job, etag = 'W/"1"') =>
  () =>
    json(job, { headers: { ETag: etag, "Retry-After": "1" } });
const unchanged =
  (headers: HeadersInit = {}) =>
  () =>
    new Response(null, { status: 304, headers });
const late = (milliseconds: number, then: () => Response) => () =>
  new Promise<Response>((resolve) => setTimeout(() => resolve(then()), milliseconds));
const noNetwork = () => Promise.reject(new TypeError("Failed to fetch"));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
  vi.setSystemTime("2026-01-05T09:30:02Z");
});

describe("polling", () => {
  test("asks at once, then waits in the server with the ETag, until it has finished", async () => {
    const asked = script(
      answer(JOB, 'W/"1"'),
      late(2000, answer(RUNNING, 'W/"2"')),
      late(2000, answer(SUCCEEDED, 'W/"3"')),
    );
    panel();

    await pass(0);
    expect(state()).toBe("Job of reverse: queued");
    expect(asked[0]?.query.has("wait")).toBe(false);
    expect(asked[0]?.headers.has("If-None-Match")).toBe(false);

    await pass(GAP);
    expect(asked[1]?.query.get("wait")).toBe(String(WAIT));
    expect(asked[1]?.headers.get("If-None-Match")).toBe('W/"1"');

    await pass(2000);
    expect(state()).toBe("Job of reverse: running");
    await pass(GAP + 2000);
    expect(asked[2]?.headers.get("If-None-Match")).toBe('W/"2"');
    expect(state()).toBe("Job of reverse: succeeded");

    await pass(60_000);
    expect(asked).toHaveLength(3);
  });

  test("asks on after a 304, and keeps what it shows", async () => {
    const asked = script(answer(RUNNING), late(WAIT * 1000, unchanged()), late(1000, answer(SUCCEEDED)));
    panel();

    await pass(GAP + WAIT * 1000);
    expect(state()).toBe("Job of reverse: running");
    await pass(GAP);
    expect(asked).toHaveLength(3);
    await pass(1000);
    expect(state()).toBe("Job of reverse: succeeded");
  });

  test("heeds Retry-After of a server that does not wait", async () => {
    const asked = script(answer(RUNNING), unchanged({ "Retry-After": "7" }), answer(SUCCEEDED));
    panel();

    await pass(GAP + 6900);
    expect(asked).toHaveLength(2);
    await pass(200);
    expect(asked).toHaveLength(3);
  });

  test("does not storm a server that neither waits nor says when to ask again", async () => {
    const asked = serve(({ headers }) => (headers.has("If-None-Match") ? unchanged()() : answer(RUNNING)()));
    panel();

    await pass(20 * DEFAULT_PAUSE);

    expect(asked.length).toBeLessThanOrEqual(22);
  });

  test("backs off while there is no answer, and goes on when there is one again", async () => {
    const asked = script(answer(RUNNING), noNetwork, noNetwork, noNetwork, answer(SUCCEEDED));
    panel();

    await pass(GAP);
    expect(asked).toHaveLength(2);
    await pass(1000);
    expect(asked).toHaveLength(3);
    await pass(1900);
    expect(asked).toHaveLength(3);
    await pass(100);
    expect(asked).toHaveLength(4);
    expect(state()).toBe("Job of reverse: running");
    await pass(4000);
    expect(state()).toBe("Job of reverse: succeeded");
  });

  test("waits as long as a 503 asks for", async () => {
    const asked = script(
      () => problem(503, { title: "The database does not answer" }, { "Retry-After": "9" }),
      answer(SUCCEEDED),
    );
    panel();

    await pass(8900);
    expect(asked).toHaveLength(1);
    await pass(200);
    expect(state()).toBe("Job of reverse: succeeded");
  });

  test("gives up a connection that has gone silent", async () => {
    const asked = serve(({ signal }) =>
      asked.length === 1
        ? answer(RUNNING)()
        : new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    panel();

    await pass(GAP);
    expect(asked).toHaveLength(2);
    await pass(WAIT * 1000 + 14_000);
    expect(asked).toHaveLength(2);
    await pass(3000);

    expect(asked).toHaveLength(3);
  });

  test("stops while the page is hidden, and asks at once when it is seen again", async () => {
    const visibility = vi.spyOn(document, "visibilityState", "get");
    const asked = script(answer(RUNNING), late(1000, answer(RUNNING, 'W/"2"')), answer(SUCCEEDED));
    panel();
    await pass(GAP);

    visibility.mockReturnValue("hidden");
    await act(() => window.dispatchEvent(new Event("visibilitychange")));
    await pass(60_000);
    expect(asked).toHaveLength(2);

    visibility.mockReturnValue("visible");
    await act(() => window.dispatchEvent(new Event("visibilitychange")));
    await pass(0);
    expect(asked).toHaveLength(3);
    expect(state()).toBe("Job of reverse: succeeded");
  });

  test("ends with the panel", async () => {
    const asked = script(answer(RUNNING));
    const { unmount } = panel();
    await pass(GAP);
    const last = asked.at(-1);

    unmount();
    await pass(60_000);

    expect(last?.signal.aborted).toBe(true);
    expect(asked).toHaveLength(2);
  });

  test("a job that there is not is said, and not asked for again", async () => {
    const asked = script(() => problem(404, { title: "No such job" }));
    panel();

    await pass(60_000);

    expect(screen.getByText("No such job")).toBeVisible();
    expect(asked).toHaveLength(1);
  });

  test.each([401, 403, 404, 422])(
    "a job that is refused (%i) while it is followed is said, and asked for no more",
    async (status) => {
      const refused = () => problem(status, { title: "No longer" });
      const asked = script(answer(RUNNING), refused, refused, refused);
      panel();

      await pass(60_000);

      expect(screen.getByText("No longer")).toBeVisible();
      expect(state()).toBe("");
      expect(asked).toHaveLength(2);
    },
  );
});

describe("what is shown", () => {
  test("the place in the queue, and how long it has been waiting, by one clock", async () => {
    script(answer({ ...JOB, queue_position: 3 }));
    panel();
    await pass(0);

    expect(screen.getByText("Number 3 in the queue.")).toBeVisible();
    expect(screen.getByText("waiting for 2 s")).toBeVisible();
    await pass(3000);
    expect(screen.getByText("waiting for 5 s")).toBeVisible();
  });

  test("a clock that is wrong does not make jobs older", async () => {
    vi.setSystemTime("2026-01-05T11:00:00Z");
    script(() => json(RUNNING, { headers: { Date: "Mon, 05 Jan 2026 09:30:11 GMT" } }));
    panel();

    await pass(1000);

    expect(screen.getByText("running for 11 s")).toBeVisible();
  });

  test("progress, as a bar and in words", async () => {
    script(answer({ ...RUNNING, progress: { fraction: 0.424, message: "epoch 2 of 5" } }));
    panel();
    await pass(0);

    expect(screen.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "42");
    expect(screen.getByText("42 % · epoch 2 of 5")).toBeVisible();
  });

  test("why it failed, and what to do", async () => {
    const error = {
      code: "worker_lost" as const,
      message: "the process died (SIGSEGV)",
      retryable: true,
      attempts: [],
    };
    script(answer({ ...RUNNING, state: "failed", finished_at: "2026-01-05T09:30:09Z", error }));
    panel();
    await pass(0);

    expect(screen.getByText("The process that ran it died")).toBeVisible();
    expect(screen.getByText(error.message)).toBeVisible();
    expect(screen.getByRole("button", { name: "Retry" })).toBeVisible();
    expect(screen.queryByRole("button", { name: "Cancel" })).toBeNull();
  });

  test("how long what is kept of it stays", async () => {
    script(answer({ ...SUCCEEDED, purge_at: "2026-01-12T12:30:03Z" }));
    panel();
    await pass(0);

    expect(screen.getByText(/12 January/)).toHaveAttribute("datetime", "2026-01-12T12:30:03Z");
  });

  test("what is read out was not there with the region that it stands in", async () => {
    script(answer(RUNNING));
    const client = createQueryClient();
    const { rerender } = show(<JobStatus id={null} />, client);
    const region = screen.getByRole("status");
    expect(region).toBeEmptyDOMElement();

    client.setQueryData(keys.job(JOB.id), { job: RUNNING, etag: null, pause: 0 });
    rerender(within(<JobStatus id={JOB.id} />, client));

    expect(screen.getByRole("status")).toBe(region);
    expect(state()).toBe("Job of reverse: running");
  });

  test("a link to the job in the API", async () => {
    script(answer(SUCCEEDED));
    panel();
    await pass(0);

    expect(screen.getByRole("link", { name: /the job in the API/ })).toHaveAttribute("href", JOB.urls.self);
  });
});

describe("cancelling", () => {
  test("is asked for, and what has become of the job is looked up at once", async () => {
    let cancelled = false;
    const asked = serve(({ method, headers }) => {
      if (method === "POST") {
        cancelled = true;
        return json({ ...RUNNING, state: "cancelling" }, { status: 202 });
      }
      if (cancelled) return answer({ ...RUNNING, state: "cancelling" }, 'W/"2"')();
      return headers.has("If-None-Match") ? NOTHING : answer(RUNNING)();
    });
    panel();
    await pass(GAP);

    await act(() => screen.getByRole("button", { name: "Cancel" }).click());
    await pass(0);

    expect(asked.filter(({ method }) => method === "POST").map(({ path }) => path)).toEqual([JOB.urls.cancel]);
    expect(state()).toBe("Job of reverse: cancelling");
  });

  test("that came too late is said", async () => {
    serve(({ method }) =>
      method === "POST"
        ? problem(409, { title: "The job's state does not allow this", detail: "It is succeeded." })
        : answer(RUNNING)(),
    );
    panel();
    await pass(0);

    await act(() => screen.getByRole("button", { name: "Cancel" }).click());
    await pass(0);

    expect(screen.getByRole("alert")).toHaveTextContent("It is succeeded.");
  });
});
