import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { createQueryClient } from "../api/queries.ts";
import type { Model } from "../api/types.ts";
import { MODEL } from "../testing/api.ts";
import { show, within } from "../testing/render.tsx";
import { NewJob } from "./NewJob.tsx";

const NEXT: Model = {
  ...MODEL,
  input_schema: {
    type: "object",
    additionalProperties: false,
    properties: { text: { type: "string", title: "Text" }, count: { type: "integer", title: "Count" } },
  },
};

function form() {
  const client = createQueryClient();
  const job = (model: Model) => (
    <NewJob model={model} reused={null} onUsed={() => undefined} onSubmitted={() => undefined} />
  );
  const { rerender } = show(job(MODEL), client);
  return { becomes: (model: Model) => rerender(within(job(model), client)), user: userEvent.setup() };
}

test("a form that nobody has written in follows its model", () => {
  const { becomes } = form();

  becomes(NEXT);

  expect(screen.getByRole("textbox", { name: "Count" })).toBeVisible();
  expect(screen.queryByText("The model has changed")).toBeNull();
});

test("a form that is being filled in stays, and the new one is offered", async () => {
  const { becomes, user } = form();
  await user.type(screen.getByRole("textbox", { name: "Text" }), "half a sent");

  becomes(NEXT);
  expect(screen.getByRole("textbox", { name: "Text" })).toHaveValue("half a sent");
  expect(screen.queryByRole("textbox", { name: "Count" })).toBeNull();
  expect(screen.getByText("The model has changed")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Take the new form" }));

  expect(screen.getByRole("textbox", { name: "Count" })).toBeVisible();
  expect(screen.getByRole("textbox", { name: "Text" })).toHaveValue("half a sent");
  expect(screen.queryByText("The model has changed")).toBeNull();
});

test("a model that is described anew has the same form", async () => {
  const { becomes, user } = form();
  await user.type(screen.getByRole("textbox", { name: "Text" }), "abc");

  becomes({ ...MODEL, description: "Another.", input_schema: structuredClone(MODEL.input_schema) });

  expect(screen.getByRole("textbox", { name: "Text" })).toHaveValue("abc");
  expect(screen.queryByText("The model has changed")).toBeNull();
});
