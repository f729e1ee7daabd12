import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { type Draft, isGroup } from "../schema/draft.ts";
import { fieldOf } from "../schema/field.ts";
import { show } from "../testing/render.tsx";
import { FormField } from "./FormField.tsx";
import { dataUrlOf } from "./picture.ts";

vi.mock("./picture.ts");

const PICTURE = { data: "data:image/png;base64,AAAA" };
const FILE = { type: "object", title: "Image", description: "A digit.", properties: { data: { format: "data-url" } } };
const SCHEMA = {
  type: "object",
  properties: { image: FILE, note: { type: "string", title: "Note" }, pixels: { type: "string", title: "Pixels" } },
};

let draft: Draft;
/** What ends the reading of each file, by its name. */
const read = new Map<string, (url: string) => void>();

beforeEach(() => {
  read.clear();
  vi.mocked(dataUrlOf).mockImplementation((file) => new Promise((resolve) => read.set(file.name, resolve)));
});

function Form({ schema, initial }: { readonly schema: Record<string, unknown>; readonly initial: Draft }) {
  const [value, setValue] = useState(initial);
  draft = value;
  return (
    <FormField field={fieldOf(schema, schema)} label="Input" required draft={value} onChange={setValue} faults={[]} />
  );
}

function form(initial: Draft, schema: Record<string, unknown> = SCHEMA) {
  show(<Form schema={schema} initial={initial} />);
  return userEvent.setup();
}

async function choose(user: ReturnType<typeof userEvent.setup>, name: string) {
  const chooser = document.querySelector<HTMLInputElement>("input[type=file]");
  if (chooser === null) throw new Error("no chooser");
  await user.upload(chooser, new File([name], name, { type: "image/png" }));
}

async function end(name: string, url: string) {
  await act(async () => read.get(name)?.(url));
}

test("what can be drawn begins with paper", () => {
  form({ image: undefined });

  expect(screen.getByRole("img", { name: /nothing is drawn/ })).toBeVisible();
});

test("a picture that is given already is shown", () => {
  form({ image: PICTURE });

  expect(screen.getByRole("img", { name: "What will be sent" })).toHaveAttribute("src", PICTURE.data);
});

test("a picture is still shown after another possibility has been looked at", async () => {
  const { note: _, ...properties } = SCHEMA.properties;
  const user = form(
    { image: PICTURE },
    { type: "object", properties, oneOf: [{ required: ["image"] }, { required: ["pixels"] }] },
  );

  await user.click(screen.getByRole("radio", { name: "Pixels" }));
  await user.click(screen.getByRole("radio", { name: "Image" }));

  expect(screen.getByRole("img", { name: "What will be sent" })).toHaveAttribute("src", PICTURE.data);
});

test("what is written while a file is read is kept", async () => {
  const user = form({ image: undefined });
  await user.click(screen.getByRole("radio", { name: "Upload" }));
  await choose(user, "a.png");
  await user.type(screen.getByRole("textbox", { name: "Note" }), "abc");

  await end("a.png", PICTURE.data);

  await waitFor(() => expect(draft).toEqual({ image: PICTURE, note: "abc" }));
});

test("of two files the one that was chosen last is sent, whichever is read first", async () => {
  const user = form({ image: undefined });
  await user.click(screen.getByRole("radio", { name: "Upload" }));
  await choose(user, "a.png");
  await choose(user, "b.png");

  await end("b.png", PICTURE.data);
  await end("a.png", "data:image/png;base64,BBBB");

  expect(isGroup(draft) && draft["image"]).toEqual(PICTURE);
});
