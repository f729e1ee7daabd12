import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { setKey } from "../api/credentials.ts";
import { JOB, problem, SUCCEEDED, serve } from "../testing/api.ts";
import { show } from "../testing/render.tsx";
import { ResultView } from "./ResultView.tsx";

const LARGE = { ...SUCCEEDED, result: null, result_url: JOB.urls.result };
let saved: { readonly name: string; readonly content: Blob }[];

beforeEach(() => {
  saved = [];
  let content = new Blob();
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    saved.push({ name: this.download, content });
  });
  URL.createObjectURL = (blob) => {
    content = blob as Blob;
    return "blob:result";
  };
});

const whole = () => new Response('{"all": 1}', { headers: { "Content-Length": "10" } });
const firstByte = () =>
  new Response("{", { status: 206, headers: { "Content-Range": "bytes 0-0/12345678", "Content-Length": "1" } });

test("a large result is not fetched: its size is said, and it can be downloaded", async () => {
  const asked = serve(firstByte);
  show(<ResultView job={LARGE} />);

  expect(await screen.findByText("The result is too large to be shown here: 12.3 MB of JSON.")).toBeVisible();
  expect(asked.map(({ headers }) => headers.get("Range"))).toEqual(["bytes=0-0"]);
  const link = screen.getByRole("link", { name: "Download" });
  expect(link).toHaveAttribute("href", JOB.urls.result);
  expect(link).toHaveAttribute("download", `${JOB.id}.json`);
});

test("a size that nobody tells is not said", async () => {
  serve(() => problem(503, { title: "Not now" }));
  show(<ResultView job={LARGE} />);

  expect(await screen.findByText("The result is too large to be shown here.")).toBeVisible();
});

test("with a key it is fetched with it, and saved", async () => {
  setKey("trk_a_b");
  const asked = serve(({ headers }) => (headers.has("Range") ? firstByte() : whole()));
  show(<ResultView job={LARGE} />);

  await userEvent.setup().click(screen.getByRole("button", { name: "Download" }));

  await waitFor(() => expect(saved).toHaveLength(1));
  expect(saved[0]?.name).toBe(`${JOB.id}.json`);
  expect(saved[0]?.content.size).toBe(10);
  expect(asked.every(({ headers }) => headers.get("Authorization") === "Bearer trk_a_b")).toBe(true);
});

test("a download that is refused is said", async () => {
  setKey("trk_a_b");
  serve(({ headers }) => (headers.has("Range") ? firstByte() : problem(410, { title: "The result has been purged" })));
  show(<ResultView job={LARGE} />);

  await userEvent.setup().click(screen.getByRole("button", { name: "Download" }));

  expect(await screen.findByText("The result has been purged")).toBeVisible();
});
