import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { App } from "../App.tsx";
import { setKey } from "../api/credentials.ts";
import { createQueryClient, keys } from "../api/queries.ts";
import { type Asked, JOB, json, MODEL, problem, SUCCEEDED, serve } from "../testing/api.ts";
import { show } from "../testing/render.tsx";

const GOOD = "trk_good_secret";
const OTHER = "trk_other_secret";

/** Each key has jobs of its own. */
function guarded({ headers, path }: Asked): Response {
  const key = headers.get("Authorization")?.replace("Bearer ", "");
  if (key !== GOOD && key !== OTHER) {
    return problem(401, { title: "Who are you?", detail: key ? "It was revoked." : "Send a key." });
  }
  if (path === "/v1/models") return json({ models: [MODEL] });
  if (path === "/v1/jobs") return json({ jobs: [{ ...JOB, model: `job of ${key}` }], next_cursor: null });
  return key === GOOD ? json(SUCCEEDED) : problem(404, { title: "No such job" });
}

function page(client = createQueryClient()) {
  show(<App />, client);
  return userEvent.setup();
}

async function signIn(user: ReturnType<typeof userEvent.setup>, key: string) {
  const dialog = within(await screen.findByRole("dialog", { name: "An API key is needed" }));
  const field = dialog.getByLabelText("API key");
  await user.clear(field);
  await user.type(field, key);
  await user.click(dialog.getByRole("button", { name: "Sign in" }));
}

test("without authentication nothing of it shows", async () => {
  const asked = serve(({ path }) =>
    json(path === "/v1/models" ? { models: [MODEL] } : { jobs: [], next_cursor: null }),
  );
  page();

  expect(await screen.findByRole("radio", { name: "reverse: ready" })).toBeVisible();
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(screen.queryByRole("button", { name: /^Sign/ })).toBeNull();
  expect(asked.some(({ headers }) => headers.has("Authorization"))).toBe(false);
});

test("a key is asked for, kept for this tab, and sent with everything", async () => {
  const asked = serve(guarded);
  const user = page();

  await signIn(user, GOOD);

  expect(await screen.findByRole("radio", { name: "reverse: ready" })).toBeVisible();
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(window.sessionStorage.getItem("torchrelay:key")).toBe(GOOD);
  expect(asked.at(-1)?.headers.get("Authorization")).toBe(`Bearer ${GOOD}`);
});

test("a bad key is said so, beside its field, and not kept", async () => {
  serve(guarded);
  const user = page();

  await signIn(user, "trk_bad");

  const field = screen.getByLabelText("API key");
  await waitFor(() => expect(field).toHaveAccessibleDescription("This key is not taken. It was revoked."));
  expect(window.sessionStorage.getItem("torchrelay:key")).toBeNull();
});

test("what no header can carry is not sent", async () => {
  const asked = serve(guarded);
  const user = page();
  await screen.findByRole("dialog");
  const before = asked.length;

  await signIn(user, "clé secrète");

  expect(screen.getByLabelText("API key")).toHaveAccessibleDescription(/This is no key/);
  expect(asked).toHaveLength(before);
});

test("a key that may not read is a key, and the missing scope is said", async () => {
  serve(({ headers }) =>
    headers.has("Authorization")
      ? problem(403, { title: "Not allowed", detail: "This needs the scope `read`; yours: submit." })
      : problem(401, { title: "Who are you?" }),
  );
  const user = page();

  await signIn(user, GOOD);

  expect((await screen.findAllByText("This needs the scope `read`; yours: submit.")).length).toBeGreaterThan(0);
  expect(window.sessionStorage.getItem("torchrelay:key")).toBe(GOOD);
});

test("signing out forgets the key, and what was answered to it", async () => {
  setKey(GOOD);
  serve(guarded);
  const client = createQueryClient();
  client.setQueryData(keys.input("elsewhere"), { text: "secret" });
  const user = page(client);
  expect(await screen.findByText(`job of ${GOOD}`)).toBeVisible();

  await user.click(screen.getByRole("button", { name: "Sign out" }));

  expect(await screen.findByRole("dialog")).toBeVisible();
  expect(window.sessionStorage.getItem("torchrelay:key")).toBeNull();
  expect(screen.queryByText(`job of ${GOOD}`)).toBeNull();
  expect(client.getQueryData(keys.input("elsewhere"))).toBeUndefined();

  await signIn(user, OTHER);
  expect(await screen.findByText(`job of ${OTHER}`)).toBeVisible();
});

test("a dialog that was closed can be opened again", async () => {
  serve(guarded);
  const user = page();
  await screen.findByRole("dialog");

  await user.click(screen.getByRole("button", { name: "Close" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await user.click(screen.getByRole("button", { name: "Sign in" }));

  expect(await screen.findByRole("dialog")).toBeVisible();
});

test("a key that was revoked meanwhile is asked for again, with the reason", async () => {
  setKey("trk_old");
  serve(guarded);
  page();

  expect(await screen.findByText(/was revoked, or has expired/)).toBeVisible();
});
