import { act, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test, vi } from "vitest";
import { App } from "./App.tsx";
import { createQueryClient, keys } from "./api/queries.ts";
import type { Model } from "./api/types.ts";
import { type Asked, JOB, json, MODEL, problem, SUCCEEDED, serve } from "./testing/api.ts";
import { show } from "./testing/render.tsx";

const FAILED: Model = {
  ...MODEL,
  name: "broken",
  description: "Does not load.",
  versions: [{ version: 3, state: "failed", default: true, metrics: null, live_workers: 1, error: "no such file" }],
};

function api({ method, path, query }: Asked): Response | Promise<Response> {
  if (path === "/v1/models") return json({ models: [FAILED, MODEL] });
  if (method === "POST") return json(SUCCEEDED, { status: 202 });
  if (path === "/v1/jobs") return json({ jobs: [SUCCEEDED], next_cursor: null });
  if (query.has("include")) return json({ ...SUCCEEDED, input: { text: "used before" } });
  return json(SUCCEEDED, { headers: { ETag: 'W/"1"' } });
}

function page(address = "/", client = createQueryClient()) {
  window.history.replaceState(null, "", address);
  show(<App />, client);
  return userEvent.setup();
}

test("models are listed with their state, and why one has failed", async () => {
  serve(api);
  page();

  expect(await screen.findByRole("radio", { name: "broken: failed" })).toBeChecked();
  expect(screen.getByRole("radio", { name: "reverse: ready" })).not.toBeChecked();
  expect(screen.getByText(/Does not load/)).toBeVisible();
  expect(screen.getByText(/no such file/)).toBeVisible();
});

test("a model that comes later does not take the form away", async () => {
  let models = [MODEL];
  serve((asked) => (asked.path === "/v1/models" ? json({ models }) : api(asked)));
  const client = createQueryClient();
  const user = page("/", client);
  await user.type(await screen.findByRole("textbox", { name: "Text" }), "half a sent");

  models = [FAILED, MODEL];
  await client.invalidateQueries({ queryKey: keys.models });

  expect(await screen.findByRole("radio", { name: "broken: failed" })).not.toBeChecked();
  expect(screen.getByRole("textbox", { name: "Text" })).toHaveValue("half a sent");
});

test("a model that there is not is said, and another one can be chosen", async () => {
  serve(api);
  const user = page("/?model=elsewhere");

  expect(await screen.findByText("There is no model elsewhere")).toBeVisible();
  expect(screen.queryByRole("button", { name: "Submit" })).toBeNull();
  await user.click(screen.getByRole("radio", { name: "reverse: ready" }));

  expect(screen.getByRole("button", { name: "Submit" })).toBeVisible();
  expect(screen.queryByText("There is no model elsewhere")).toBeNull();
});

test("the model that is chosen is in the address, and the browser leads back", async () => {
  serve(api);
  const user = page();

  await user.click(await screen.findByRole("radio", { name: "reverse: ready" }));
  expect(window.location.search).toBe("?model=reverse");

  act(() => {
    window.history.replaceState(null, "", "/?model=broken");
    window.dispatchEvent(new PopStateEvent("popstate"));
  });
  expect(screen.getByRole("radio", { name: "broken: failed" })).toBeChecked();
});

test("arrow keys choose a model, and leave no trail behind them", async () => {
  serve(api);
  const user = page();
  await user.click(await screen.findByRole("radio", { name: "reverse: ready" }));
  const length = window.history.length;

  await user.keyboard("{ArrowDown}{ArrowDown}{ArrowDown}");

  expect(screen.getByRole("radio", { name: "broken: failed" })).toBeChecked();
  expect(window.location.search).toBe("?model=broken");
  expect(window.history.length).toBe(length);
  await user.click(screen.getByRole("radio", { name: "reverse: ready" }));
  expect(window.history.length).toBe(length + 1);
});

test("a job that is deleted goes from the page, the list and the address", async () => {
  let jobs = [SUCCEEDED];
  serve((asked) => {
    if (asked.method === "DELETE") {
      jobs = [];
      return new Response(null, { status: 204 });
    }
    return asked.path === "/v1/jobs" ? json({ jobs, next_cursor: null }) : api(asked);
  });
  const user = page(`/?job=${JOB.id}`);

  await user.click(await screen.findByRole("button", { name: "Delete" }));
  await user.click(screen.getByRole("button", { name: "Delete for good" }));

  expect(await screen.findByText(/None yet/)).toBeVisible();
  expect(window.location.search).toBe("");
  expect(screen.queryByRole("heading", { name: "reverse" })).toBeNull();
  await vi.waitFor(() => expect(screen.getByRole("heading", { name: "Recent jobs" })).toHaveFocus());
});

test("a job that is submitted is shown, is in the address, and has the focus", async () => {
  serve(api);
  const user = page("/?model=reverse");

  await user.click(await screen.findByRole("button", { name: "Fill in the example" }));
  await user.click(screen.getByRole("button", { name: "Submit" }));

  const title = await screen.findByRole("heading", { name: "reverse" });
  expect(new URLSearchParams(window.location.search).get("job")).toBe(JOB.id);
  await vi.waitFor(() => expect(title).toHaveFocus());
});

test("an address with a job shows it", async () => {
  serve(api);
  page(`/?job=${JOB.id}`);

  expect(await screen.findByText("Job of reverse: succeeded")).toBeInTheDocument();
});

test("a recent job is opened by its link, and its input can be used again", async () => {
  serve(api);
  const user = page();
  const jobs = await screen.findByRole("region", { name: "Recent jobs" });

  await user.click(await within(jobs).findByRole("link"));
  await user.click(await screen.findByRole("button", { name: "Use this input again" }));

  expect(await screen.findByRole("textbox", { name: "Text" })).toHaveValue("used before");
  expect(screen.getByRole("radio", { name: "reverse: ready" })).toBeChecked();
});

test("an input is used again once: coming back to its model later begins anew", async () => {
  serve((asked) => (asked.path === "/v1/models" ? json({ models: [{ ...MODEL, name: "other" }, MODEL] }) : api(asked)));
  const user = page(`/?job=${JOB.id}`);
  await user.click(await screen.findByRole("button", { name: "Use this input again" }));
  expect(await screen.findByRole("textbox", { name: "Text" })).toHaveValue("used before");

  await user.click(screen.getByRole("radio", { name: "other: ready" }));
  await user.click(screen.getByRole("radio", { name: "reverse: ready" }));

  expect(screen.getByRole("textbox", { name: "Text" })).toHaveValue("");
});

test("an input that cannot be used again is said", async () => {
  serve((asked) => (asked.query.has("include") ? problem(404, { title: "No such job" }) : api(asked)));
  const user = page(`/?job=${JOB.id}`);

  await user.click(await screen.findByRole("button", { name: "Use this input again" }));

  expect(await screen.findByText("No such job")).toBeVisible();
});

test("before any worker has started, it says what is missing", async () => {
  serve(({ path }) => json(path === "/v1/models" ? { models: [] } : { jobs: [], next_cursor: null }));
  page();

  expect(await screen.findByText("There is no model yet")).toBeVisible();
  expect(screen.getByText(/None yet/)).toBeVisible();
});

describe("without a connection", () => {
  test("it says so, asks on, and says nothing more once there is one", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
    let away = true;
    serve((asked) => (away ? Promise.reject(new TypeError("Failed to fetch")) : api(asked)));
    page();

    await act(() => vi.advanceTimersByTimeAsync(100));
    expect(screen.getByText("The API does not answer")).toBeVisible();
    away = false;
    await act(() => vi.advanceTimersByTimeAsync(5000));

    expect(screen.queryByText("The API does not answer")).toBeNull();
    expect(screen.getByRole("radio", { name: "reverse: ready" })).toBeVisible();
  });
});
