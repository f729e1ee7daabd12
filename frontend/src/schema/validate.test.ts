import { expect, test } from "vitest";
import type { Json } from "../api/types.ts";
import { validatorOf } from "./validate.ts";

const LABELS = {
  type: "object",
  required: ["text", "labels"],
  properties: {
    text: { $ref: "#/$defs/Text" },
    labels: {
      type: "array",
      minItems: 2,
      uniqueItems: true,
      items: { type: "string", minLength: 1, maxLength: 5, pattern: "\\S" },
    },
    share: { type: "number", minimum: 0, exclusiveMaximum: 1 },
  },
  $defs: { Text: { type: "string", minLength: 3 } },
};

test.each<[Json, string, string]>([
  [{ labels: ["a", "b"] }, "/text", "This is needed."],
  [{ text: "ab", labels: ["a", "b"] }, "/text", "At least 3 characters."],
  [{ text: "abc", labels: ["a"] }, "/labels", "At least 2."],
  [{ text: "abc", labels: ["a", "a"] }, "/labels", "No two of them may be the same."],
  [{ text: "abc", labels: ["a", ""] }, "/labels/1", "This is needed."],
  [{ text: "abc", labels: ["a", "abcdef"] }, "/labels/1", "At most 5 characters."],
  [{ text: "abc", labels: ["a", " "] }, "/labels/1", "Not only spaces."],
  [{ text: "abc", labels: ["a", "b"], share: -1 }, "/share", "At least 0."],
  [{ text: "abc", labels: ["a", "b"], share: 1 }, "/share", "Less than 1."],
  [{ text: 3, labels: ["a", "b"] }, "/text", "It has to be of the type string."],
  ["abc", "", "It has to be of the type object."],
])("%j: at %j: %s", (value, path, message) => {
  expect(validatorOf(LABELS)(value)).toEqual([{ path, message }]);
});

test("what fits has no faults", () => {
  expect(validatorOf(LABELS)({ text: "abc", labels: ["a", "b"] })).toEqual([]);
});

test("formats are left to the API, which does not check them", () => {
  const schema = {
    properties: {
      format: { type: "string", format: "email" },
      maybe: { anyOf: [{ format: "date" }, { type: "null" }] },
    },
    required: ["format"],
  };

  expect(validatorOf(schema)({ format: "nobody", maybe: "today" })).toEqual([]);
  expect(validatorOf(schema)({})).toHaveLength(1);
  expect(validatorOf({ const: { format: "email" } })({ format: "email" })).toEqual([]);
});

test("two empty items are told of as empty, and not as the same", () => {
  const faults = validatorOf(LABELS)({ text: "abc", labels: ["", ""] });

  expect(faults.map(({ path }) => path)).toEqual(["/labels/0", "/labels/1"]);
});

test("of several forms none of which fits, one thing is said", () => {
  const schema = { properties: { a: { anyOf: [{ type: "string" }, { type: "number" }] } } };

  expect(validatorOf(schema)({ a: true })).toEqual([
    { path: "/a", message: "It fits none of the forms that it may have." },
  ]);
});

test("what cannot be checked here is left to the API", () => {
  expect(validatorOf({ properties: { a: { pattern: "(?P<python>x)" } } })({ a: "y" })).toEqual([]);
  expect(validatorOf({ $ref: "https://elsewhere.example/schema" })({})).toEqual([]);
});

test("the schema is not written into", () => {
  const schema = JSON.stringify(LABELS);

  validatorOf(LABELS)({});

  expect(JSON.stringify(LABELS)).toBe(schema);
});
