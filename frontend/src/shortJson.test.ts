import { expect, test } from "vitest";
import type { Json } from "./api/types.ts";
import { shortJson } from "./shortJson.ts";

test("a table of numbers keeps its rows", () => {
  expect(
    shortJson([
      [1, 2],
      [3, 4],
    ]),
  ).toBe("[\n  [1, 2],\n  [3, 4]\n]");
});

test.each<[Json, string]>([
  [null, "null"],
  ["a", '"a"'],
  [[], "[]"],
  [{}, "{}"],
  [{ a: 1 }, '{ "a": 1 }'],
  ["[ a ]", '"[ a ]"'],
  [["a\n b"], '["a\\n b"]'],
])("%j", (value, text) => {
  expect(shortJson(value)).toBe(text);
});

test("it stays the same value", () => {
  const value = { list: [[1, [2, { a: "x" }]], "y".repeat(200)], empty: { a: [], b: {} } };

  expect(JSON.parse(shortJson(value))).toEqual(value);
});
