import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { setKey } from "../api/credentials.ts";
import { type Draft, Unfit } from "../schema/draft.ts";
import { fieldOf } from "../schema/field.ts";
import { show } from "../testing/render.tsx";
import { FormField } from "./FormField.tsx";

const INLINE = { type: "object", properties: { data: { type: "string", format: "data-url" } }, required: ["data"] };
const UPLOAD = { type: "object", properties: { upload: { type: "string" } }, required: ["upload"] };
const EITHER = { anyOf: [INLINE, UPLOAD], title: "File" };
const LARGE = new Uint8Array(300 * 1024);

/** In the place of the browser's own: the tests say what becomes of what is sent. */
class Sending {
  static all: Sending[] = [];
  readonly upload: { onprogress: ((event: { loaded: number; total: number }) => void) | null } = { onprogress: null };
  readonly headers = new Headers();
  onload: () => void = () => undefined;
  onerror: () => void = () => undefined;
  onabort: () => void = () => undefined;
  address = "";
  body: unknown;
  aborted = false;
  status = 0;
  responseText = "";
  open(method: string, address: string) {
    this.address = `${method} ${address}`;
    Sending.all.push(this);
  }
  setRequestHeader(name: string, value: string) {
    this.headers.set(name, value);
  }
  getResponseHeader() {
    return null;
  }
  send(body: unknown) {
    this.body = body;
  }
  abort() {
    this.aborted = true;
    this.onabort();
  }
  async ends(status: number, body: unknown) {
    this.status = status;
    this.responseText = JSON.stringify(body);
    await act(async () => this.onload());
  }
}

let draft: Draft;

beforeEach(() => {
  Sending.all = [];
  vi.stubGlobal("XMLHttpRequest", Sending);
  URL.createObjectURL = () => "blob:picture";
  URL.revokeObjectURL = () => undefined;
});

function Form({ schema, initial }: { readonly schema: Record<string, unknown>; readonly initial: Draft }) {
  const [value, setValue] = useState(initial);
  draft = value;
  return (
    <FormField field={fieldOf(schema, schema)} label="File" required draft={value} onChange={setValue} faults={[]} />
  );
}

async function choose(content: BlobPart, name = "a.png", type = "image/png") {
  const chooser = document.querySelector<HTMLInputElement>("input[type=file]");
  if (chooser === null) throw new Error("no chooser");
  await userEvent.setup().upload(chooser, new File([content], name, { type }));
}

function form(schema: Record<string, unknown> = EITHER, initial: Draft = undefined) {
  show(<Form schema={schema} initial={initial} />);
}

function sending(): Sending {
  const [last] = Sending.all.slice(-1);
  if (last === undefined) throw new Error("nothing is sent");
  return last;
}

test.each([
  ["anyOf", EITHER],
  ["one object", { type: "object", properties: { ...INLINE.properties, ...UPLOAD.properties } }],
  ["null, too", { anyOf: [INLINE, UPLOAD, { type: "null" }] }],
])("a large file is sent ahead, and the input names it: %s", async (_, schema) => {
  setKey("trk_a_b");
  form(schema);

  await choose(LARGE);
  expect(sending().address).toBe("POST /v1/uploads");
  expect(sending().headers.get("Content-Type")).toBe("image/png");
  expect(sending().headers.get("Authorization")).toBe("Bearer trk_a_b");
  expect(sending().body).toBeInstanceOf(File);
  act(() => sending().upload.onprogress?.({ loaded: 1, total: 4 }));
  expect(screen.getByRole("progressbar", { name: "Upload of a.png" })).toHaveAttribute("aria-valuenow", "25");
  expect(draft).toBeInstanceOf(Unfit);

  await sending().ends(201, { id: "up1" });
  await waitFor(() => expect(draft).toEqual({ upload: "up1" }));
  expect(screen.queryByRole("progressbar")).toBeNull();
  expect(screen.getByRole("img", { name: "What will be sent" })).toHaveAttribute("src", "blob:picture");
});

test("a small file travels in the input", async () => {
  form();

  await choose("hello", "a.txt", "text/plain");

  await waitFor(() => expect(draft).toEqual({ data: "data:text/plain;base64,aGVsbG8=" }));
  expect(Sending.all).toHaveLength(0);
});

test("where the model takes no uploads, none is made", async () => {
  form({ ...INLINE, title: "File" });

  await choose(LARGE, "a.bin", "application/x-any");

  await waitFor(() => expect(draft).toHaveProperty("data"));
  expect(Sending.all).toHaveLength(0);
});

test("a file that is too large is said so beside the field, with the limit", async () => {
  form();
  await choose(LARGE);

  await sending().ends(413, { title: "The file is too large", detail: "At most 100 MiB." });

  expect(await screen.findByText("The file is too large. At most 100 MiB.")).toBeVisible();
  expect(draft).toBeInstanceOf(Unfit);
});

test("an upload that breaks off is said", async () => {
  form();
  await choose(LARGE);

  await act(async () => sending().onerror());

  expect(await screen.findByText("The upload broke off: choose the file again.")).toBeVisible();
});

test("another file ends the upload of the one before", async () => {
  form();
  await choose(LARGE, "first.png");
  const first = sending();
  await choose(LARGE, "second.png");
  expect(first.aborted).toBe(true);

  await first.ends(201, { id: "first" });
  await sending().ends(201, { id: "second" });

  await waitFor(() => expect(draft).toEqual({ upload: "second" }));
});

test("an upload of an earlier job is used again", () => {
  form(EITHER, { upload: "up1" });

  expect(screen.getByText("The file that was uploaded for the earlier job.")).toBeVisible();
  expect(draft).toEqual({ upload: "up1" });
});
