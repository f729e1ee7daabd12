import { describe, expect, test } from "vitest";
import { type Draft, emptyDraft, MISSING, read, Unfit } from "./draft.ts";
import { fieldOf } from "./field.ts";
import type { Schema } from "./resolve.ts";

const SCHEMA: Schema = {
  type: "object",
  required: ["text", "count", "tags", "maybe"],
  properties: {
    text: { type: "string" },
    count: { type: "integer" },
    tags: { type: "array", items: { type: "string" }, minItems: 2 },
    maybe: { anyOf: [{ type: "number" }, { type: "null" }] },
    note: { type: "string" },
    more: { type: "array", items: { type: "number" } },
    nested: { type: "object", required: ["a"], properties: { a: { type: "number" } } },
    on: { type: "boolean", default: true },
  },
};
const FIELD = fieldOf(SCHEMA, SCHEMA);

function input(draft: Draft) {
  return read(FIELD, draft, true);
}

test("an untouched form has its defaults, and as many items as there have to be", () => {
  expect(emptyDraft(FIELD)).toEqual({
    text: undefined,
    count: undefined,
    tags: [undefined, undefined],
    maybe: undefined,
    note: undefined,
    more: undefined,
    nested: undefined,
    on: true,
  });
});

test("what need not be given and is empty, is left out; what may be null, is null", () => {
  const { value, faults } = input({ text: "", count: 1, tags: [], note: "", more: [], nested: undefined });

  expect(value).toEqual({ text: "", count: 1, tags: [], maybe: null });
  expect(faults).toEqual([]);
});

describe("what has a default and was cleared", () => {
  const schema = {
    type: "object",
    properties: {
      text: { type: "string", default: "a" },
      word: { type: "string", default: "a", minLength: 1 },
      tags: { type: "array", items: { type: "string" }, default: ["a"] },
      some: { type: "array", items: { type: "string" }, default: ["a"], minItems: 1 },
      count: { type: "number", default: 3 },
      maybe: { anyOf: [{ type: "number" }, { type: "null" }], default: 3 },
      blank: { type: "string", default: "" },
      none: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
    },
  };
  const field = fieldOf(schema, schema);

  test("is sent empty where that fits, and left out where nothing else can be meant", () => {
    const draft = { text: "", word: "", tags: [], some: [], count: undefined, maybe: undefined, blank: "", none: "" };

    expect(read(field, draft, true)).toEqual({ value: { text: "", tags: [], maybe: null }, faults: [] });
  });

  test("is left out where it was never given", () => {
    expect(read(field, {}, true)).toEqual({ value: {}, faults: [] });
  });
});

test("what is needed and missing is said at its place", () => {
  expect(input({ text: "a", tags: [] }).faults).toEqual([{ path: "/count", message: MISSING }]);
  expect(input({ count: 1, nested: {} }).faults).toEqual([{ path: "/nested/a", message: MISSING }]);
  expect(input({ count: 1, more: [1, undefined] }).faults).toEqual([{ path: "/more/1", message: MISSING }]);
});

test("what cannot be read is a fault, and no value", () => {
  const { value, faults } = input({ count: new Unfit("1e", "not a number"), tags: [] });

  expect(value).not.toHaveProperty("count");
  expect(faults).toEqual([{ path: "/count", message: "not a number" }]);
});

test("names with slashes are escaped in the path", () => {
  const schema = { type: "object", required: ["a/b~"], properties: { "a/b~": { type: "number" } } };

  expect(read(fieldOf(schema, schema), {}, true).faults[0]?.path).toBe("/a~1b~0");
});

describe("of properties that exclude each other", () => {
  const schema = {
    type: "object",
    properties: { one: { type: "number" }, two: { type: "number" } },
    oneOf: [{ required: ["one"] }, { required: ["two"] }],
  };
  const field = fieldOf(schema, schema);

  test("only the chosen one is sent", () => {
    expect(read(field, { two: 2 }, true)).toEqual({ value: { two: 2 }, faults: [] });
  });

  test("the chosen one is needed", () => {
    expect(read(field, emptyDraft(field), true).faults).toEqual([{ path: "/one", message: MISSING }]);
  });
});
