import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { setKey } from "../api/credentials.ts";
import type { Job } from "../api/types.ts";
import { JOB, problem, RUNNING, SUCCEEDED, serve } from "../testing/api.ts";
import { show } from "../testing/render.tsx";
import { JobActions } from "./JobActions.tsx";

function actions(job: Job = SUCCEEDED) {
  const deleted = vi.fn<(job: Job) => void>();
  show(<JobActions job={job} onReuse={async () => undefined} onDeleted={deleted} />);
  return { deleted, user: userEvent.setup() };
}

test("deleting is confirmed first, where nothing is lost by a second press", async () => {
  const asked = serve(() => new Response(null, { status: 204 }));
  const { deleted, user } = actions();

  await user.click(screen.getByRole("button", { name: "Delete" }));
  expect(screen.getByRole("alertdialog", { name: /cannot be brought back/ })).toBeVisible();
  expect(screen.getByRole("button", { name: "Keep" })).toHaveFocus();
  expect(asked).toHaveLength(0);
  await user.click(screen.getByRole("button", { name: "Delete for good" }));

  await waitFor(() => expect(deleted).toHaveBeenCalledWith(SUCCEEDED));
  expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual([`DELETE ${JOB.urls.self}`]);
});

test("a job can be kept", async () => {
  const asked = serve(() => new Response(null, { status: 204 }));
  const { user } = actions();

  await user.click(screen.getByRole("button", { name: "Delete" }));
  await user.click(screen.getByRole("button", { name: "Keep" }));

  expect(screen.queryByRole("alertdialog")).toBeNull();
  expect(asked).toHaveLength(0);
});

test("a job that goes on cannot be deleted", () => {
  actions(RUNNING);

  expect(screen.queryByRole("button", { name: "Delete" })).toBeNull();
});

test("a job that is gone already is deleted", async () => {
  serve(() => problem(404, { title: "No such job" }));
  const { deleted, user } = actions();

  await user.click(screen.getByRole("button", { name: "Delete" }));
  await user.click(screen.getByRole("button", { name: "Delete for good" }));

  await waitFor(() => expect(deleted).toHaveBeenCalled());
});

test("what the API has against it is said", async () => {
  serve(() => problem(403, { title: "Not allowed", detail: "This needs the scope `submit`; yours: read." }));
  const { deleted, user } = actions();

  await user.click(screen.getByRole("button", { name: "Delete" }));
  await user.click(screen.getByRole("button", { name: "Delete for good" }));

  await waitFor(() => expect(screen.getByRole("alert")).toHaveTextContent("This needs the scope `submit`"));
  expect(deleted).not.toHaveBeenCalled();
});

test("with a key, which a link cannot carry, the address is no link", () => {
  setKey("trk_a_b");

  actions();

  expect(screen.queryByRole("link")).toBeNull();
  expect(screen.getByTitle(JOB.urls.self)).toBeVisible();
});
