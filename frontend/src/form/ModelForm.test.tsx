import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test, vi } from "vitest";
import type { Job, Json, Model } from "../api/types.ts";
import { JOB, json, MODEL, problem, serve } from "../testing/api.ts";
import { show } from "../testing/render.tsx";
import { ModelForm } from "./ModelForm.tsx";

function form(schema: Record<string, unknown> | null = null, more: Partial<Model> = {}, input: Json | null = null) {
  const submitted = vi.fn<(job: Job) => void>();
  const model = { ...MODEL, ...(schema ? { input_schema: schema, example: null } : {}), ...more };
  show(<ModelForm model={model} input={input === null ? null : { value: input }} onSubmitted={submitted} />);
  return { submitted, user: userEvent.setup() };
}

function object(properties: Record<string, unknown>, required: string[] = []): Record<string, unknown> {
  return { type: "object", properties, required };
}

/** The input of the one submission that there was. */
async function submittedInput(user: ReturnType<typeof userEvent.setup>): Promise<unknown> {
  const asked = serve(() => json(JOB, { status: 202 }));
  await user.click(screen.getByRole("button", { name: "Submit" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(asked[0]).toMatchObject({ method: "POST", path: "/v1/jobs" });
  return (asked[0]?.body as { input: unknown } | undefined)?.input;
}

describe("fields", () => {
  test("text, number, choice and box, with what is empty left out", async () => {
    const { user } = form(
      object({
        text: { type: "string", title: "Text" },
        size: { type: "integer", minimum: 1, maximum: 9, title: "Size" },
        mode: { enum: ["fast", "good"], default: "good", title: "Mode" },
        loud: { type: "boolean", title: "Loud" },
        note: { type: "string", title: "Note" },
      }),
    );

    await user.type(screen.getByRole("textbox", { name: "Text" }), "abc");
    await user.type(screen.getByRole("textbox", { name: "Size" }), "7");
    await user.selectOptions(screen.getByRole("combobox", { name: "Mode" }), "fast");
    await user.selectOptions(screen.getByRole("combobox", { name: "Loud" }), "yes");

    expect(await submittedInput(user)).toEqual({ text: "abc", size: 7, mode: "fast", loud: true });
  });

  test.each([
    ["1.50", 1.5],
    ["0.10", 0.1],
    ["2.", 2],
    ["1e-5", 1e-5],
    ["-3", -3],
    [" .5 ", 0.5],
  ])("a number is sent as it is written: %s", async (written, sent) => {
    const { user } = form(object({ size: { type: "number", title: "Size" } }));
    const asked = serve(() => json(JOB, { status: 202 }));

    await user.type(screen.getByRole("textbox", { name: "Size" }), `${written}{Enter}`);

    await waitFor(() => expect(asked[0]?.body).toMatchObject({ input: { size: sent } }));
    expect(screen.getByRole("textbox", { name: "Size" })).toHaveValue(written);
  });

  test.each(["1e", "0x10", "1,5", "Infinity", "1e999", "9007199254740993"])(
    "%s is not sent as a number",
    async (written) => {
      const { user } = form(object({ size: { type: "integer", title: "Size" } }));
      const asked = serve(() => json(JOB));

      await user.type(screen.getByRole("textbox", { name: "Size" }), `${written}{Enter}`);

      expect(screen.getByRole("textbox", { name: "Size" })).toHaveAccessibleDescription(/This (is not a )?number/);
      expect(asked).toHaveLength(0);
    },
  );

  test("what may be left out can be said, and left out again", async () => {
    const { user } = form(object({ loud: { type: "boolean", title: "Loud" } }));
    const loud = () => screen.getByRole("combobox", { name: "Loud" });
    await user.selectOptions(loud(), "no");
    expect(await submittedInput(user)).toEqual({ loud: false });

    await user.selectOptions(loud(), "not given");
    vi.spyOn(performance, "now").mockReturnValue(Number.MAX_SAFE_INTEGER); // past the double click
    expect(await submittedInput(user)).toEqual({});
  });

  test.each([
    ["has to be given", object({ loud: { type: "boolean", title: "Loud" } }, ["loud"])],
    ["has a default", object({ loud: { type: "boolean", title: "Loud", default: false } })],
  ])("a yes or no that %s is a box", async (_, schema) => {
    const { user } = form(schema);

    await user.click(screen.getByRole("checkbox", { name: "Loud" }));

    expect(await submittedInput(user)).toEqual({ loud: true });
  });

  test("a list grows, shrinks, and takes what is pasted apart", async () => {
    const { user } = form(object({ tags: { type: "array", items: { type: "string", title: "Tag" }, title: "Tags" } }));

    await user.click(screen.getByRole("button", { name: "Add tag" }));
    await user.click(screen.getByRole("textbox", { name: "Tag 1" }));
    await user.paste("a\n\nb\r\nc");
    await user.click(screen.getByRole("button", { name: "Remove Tag 2" }));
    await user.click(screen.getByRole("button", { name: "Add tag" }));
    await user.type(screen.getByRole("textbox", { name: "Tag 3" }), "d");

    expect(await submittedInput(user)).toEqual({ tags: ["a", "c", "d"] });
  });

  test("a list takes no more than it may have", async () => {
    const { user } = form(object({ tags: { type: "array", items: { type: "string" }, maxItems: 1 } }));

    await user.click(screen.getByRole("button", { name: "Add item" }));

    expect(screen.getByRole("button", { name: "Add item" })).toBeDisabled();
  });

  test("a long list is written one a line", async () => {
    const tags = Array.from({ length: 60 }, (_, place) => `tag ${place}`);
    const { user } = form(object({ tags: { type: "array", items: { type: "string" }, title: "Tags" } }), {}, { tags });

    await user.type(screen.getByRole("textbox", { name: "Tags" }), "\nlast");

    expect(await submittedInput(user)).toEqual({ tags: [...tags, "last"] });
  });

  test("a long list that is pasted is written one a line from then on", async () => {
    const tags = Array.from({ length: 3000 }, (_, place) => `tag ${place}`);
    const items = { type: "string", title: "Tag" };
    const { user } = form(object({ tags: { type: "array", items, minItems: 2, title: "Tags" } }, ["tags"]));

    await user.click(screen.getByRole("textbox", { name: "Tag 1" }));
    await user.paste(tags.join("\n"));

    expect(screen.getByRole("textbox", { name: "Tags" })).toHaveFocus();
    expect(await submittedInput(user)).toEqual({ tags });
  });

  test("an object within an object is opened first", async () => {
    const { user } = form(
      object({ more: { ...object({ deep: { type: "string", title: "Deep" } }, ["deep"]), title: "More" } }),
    );

    await user.click(within(screen.getByRole("group", { name: "More" })).getByRole("button", { name: "Fill in" }));
    await user.type(screen.getByRole("textbox", { name: "Deep" }), "x");

    expect(await submittedInput(user)).toEqual({ more: { deep: "x" } });
  });

  test("what may be null is null where it has to be given", async () => {
    const { user } = form(object({ a: { anyOf: [{ type: "number" }, { type: "null" }], title: "A" } }, ["a"]));

    expect(await submittedInput(user)).toEqual({ a: null });
  });

  test("what has no field is written as JSON", async () => {
    const { user } = form(object({ value: { title: "Value" } }));

    await user.click(screen.getByRole("textbox", { name: "Value" }));
    await user.paste('{"any": [1, null]}');

    expect(await submittedInput(user)).toEqual({ value: { any: [1, null] } });
  });

  test.each([
    [{}, { text: "abc", extra: [1] }],
    [{ additionalProperties: false }, { text: "abc" }],
  ])("what an input has besides its fields is kept, where that fits: %j", async (more, sent) => {
    const schema = { ...object({ text: { type: "string", title: "Text" } }), ...more };
    const { user } = form(schema, {}, { text: "abc", extra: [1] });

    expect(await submittedInput(user)).toEqual(sent);
  });

  test("an input that is no object at all", async () => {
    const { user } = form({});

    await user.type(screen.getByRole("textbox", { name: "Input" }), "3");

    expect(await submittedInput(user)).toBe(3);
  });

  test("of several possibilities one is sent, and the others wait", async () => {
    const properties = { image: { type: "string", title: "Image" }, pixels: { type: "string", title: "Pixels" } };
    const { user } = form({ ...object(properties), oneOf: [{ required: ["image"] }, { required: ["pixels"] }] });

    await user.type(screen.getByRole("textbox", { name: "Image" }), "i");
    await user.click(screen.getByRole("radio", { name: "Pixels" }));
    await user.type(screen.getByRole("textbox", { name: "Pixels" }), "p");

    expect(await submittedInput(user)).toEqual({ pixels: "p" });
    await user.click(screen.getByRole("radio", { name: "Image" }));
    expect(screen.getByRole("textbox", { name: "Image" })).toHaveValue("i");
  });

  test("a file becomes a data URL", async () => {
    const { user } = form(
      object({ file: { ...object({ data: { type: "string", format: "data-url" } }, ["data"]), title: "File" } }, [
        "file",
      ]),
    );

    const chooser = document.querySelector<HTMLInputElement>("input[type=file]");
    if (chooser === null) throw new Error("no chooser");
    await user.upload(chooser, new File(["hello"], "a.txt", { type: "text/plain" }));
    await waitFor(() => expect(screen.getByText("a.txt")).toBeVisible());

    expect(await submittedInput(user)).toEqual({ file: { data: "data:text/plain;base64,aGVsbG8=" } });
  });
});

test("the example fills the form, and starting over empties it", async () => {
  const { user } = form();
  const text = () => screen.getByRole("textbox", { name: "Text" });

  await user.click(screen.getByRole("button", { name: "Fill in the example" }));
  expect(text()).toHaveValue("abc");
  await user.click(screen.getByRole("button", { name: "Start over" }));

  expect(text()).toHaveValue("");
});

test("a submission is told to the page, once", async () => {
  const { user, submitted } = form(null, {}, { text: "abc" });
  serve(() => json(JOB, { status: 202 }));

  await user.click(screen.getByRole("button", { name: "Submit" }));

  await waitFor(() => expect(submitted).toHaveBeenCalledTimes(1));
  expect(submitted.mock.calls[0]?.[0]).toEqual(JOB);
});

test("a double click submits once, even if the answer comes in between", async () => {
  const { user, submitted } = form(null, {}, { text: "abc" });
  const asked = serve(() => json(JOB, { status: 202 }));
  const now = vi.spyOn(performance, "now").mockReturnValue(1000);

  await user.click(screen.getByRole("button", { name: "Submit" }));
  await waitFor(() => expect(submitted).toHaveBeenCalledTimes(1));
  now.mockReturnValue(1200);
  await user.click(screen.getByRole("button", { name: "Submit" }));
  expect(asked).toHaveLength(1);

  now.mockReturnValue(1600);
  await user.click(screen.getByRole("button", { name: "Submit" }));
  await waitFor(() => expect(asked).toHaveLength(2));
});

describe("what is wrong", () => {
  test("is said beside the field before anything is sent, and the field has the focus", async () => {
    const { user } = form();
    const asked = serve(() => json(JOB));

    await user.click(screen.getByRole("button", { name: "Submit" }));

    const text = screen.getByRole("textbox", { name: "Text" });
    expect(text).toBeInvalid();
    expect(text).toHaveAccessibleDescription(/This is needed/);
    expect(text).toHaveFocus();
    expect(asked).toHaveLength(0);
  });

  test("goes away as soon as something is changed", async () => {
    const { user } = form();
    await user.click(screen.getByRole("button", { name: "Submit" }));

    await user.type(screen.getByRole("textbox", { name: "Text" }), "a");

    expect(screen.getByRole("textbox", { name: "Text" })).toBeValid();
  });

  test("broken JSON is not sent", async () => {
    const { user } = form(object({ value: { title: "Value" } }));
    const asked = serve(() => json(JOB));
    await user.click(screen.getByRole("textbox", { name: "Value" }));
    await user.paste("{broken");

    await user.click(screen.getByRole("button", { name: "Submit" }));

    expect(screen.getByRole("textbox", { name: "Value" })).toHaveAccessibleDescription(/not JSON/);
    expect(asked).toHaveLength(0);
  });

  test.each(["9007199254740993", "[1, -9007199254740993]", '{"a": 1e999}'])(
    "a number of JSON that would be sent as another one is not sent: %s",
    async (written) => {
      const { user } = form(object({ value: { title: "Value" } }));
      const asked = serve(() => json(JOB));
      await user.click(screen.getByRole("textbox", { name: "Value" }));
      await user.paste(written);

      await user.click(screen.getByRole("button", { name: "Submit" }));

      expect(screen.getByRole("textbox", { name: "Value" })).toHaveAccessibleDescription(/too large to be sent/);
      expect(asked).toHaveLength(0);
    },
  );

  test("what the API alone knows stands beside the field as well", async () => {
    const { user } = form(null, {}, { text: "abc" });
    serve(() =>
      problem(422, {
        title: "The request does not fit",
        detail: "The input does not fit the model.",
        errors: [
          { path: "/input/text", message: "is rude" },
          { path: "/queue_ttl", message: "is too long" },
        ],
      }),
    );

    await user.click(screen.getByRole("button", { name: "Submit" }));

    const text = screen.getByRole("textbox", { name: "Text" });
    await waitFor(() => expect(text).toHaveAccessibleDescription(/is rude/));
    expect(text).toHaveFocus();
    const alert = screen.getByRole("alert");
    expect(alert).toHaveTextContent("The input does not fit the model.");
    expect(alert).toHaveTextContent("/queue_ttl: is too long");
    expect(alert).not.toHaveTextContent("is rude");
  });

  test("a fault in a part that the form does not show is not lost", async () => {
    const { user } = form(null, {}, { text: "abc" });
    serve(() => problem(422, { title: "No", errors: [{ path: "/input/hidden/part", message: "is unknown" }] }));

    await user.click(screen.getByRole("button", { name: "Submit" }));

    expect(await screen.findByText("/hidden/part: is unknown")).toBeVisible();
  });

  test("what is no problem document is said all the same", async () => {
    const { user } = form(null, {}, { text: "abc" });
    serve(() => new Response("<html>Not allowed</html>", { status: 405 }));

    await user.click(screen.getByRole("button", { name: "Submit" }));

    expect(await screen.findByRole("alert")).toHaveTextContent("The API answered with status 405");
  });
});
