import { expect, test } from "vitest";
import { ago, duration, longDuration } from "./duration.ts";

test.each([
  [-5, "0.00 s"],
  [30, "0.03 s"],
  [1234, "1.2 s"],
  [59_999, "59 s"],
  [185_000, "3 min 05 s"],
  [7_800_000, "2 h 10 min"],
  [97 * 3_600_000, "4 d 1 h"],
])("%d ms: %s", (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});

test("a clock that ticks once a second shows no tenths", () => {
  expect(longDuration(1999)).toBe("1 s");
});

test.each([
  [0, "just now"],
  [-3000, "just now"],
  [30_000, "30 s ago"],
  [300_000, "5 min ago"],
  [7_200_000, "2 h ago"],
  [200_000_000, "2 d ago"],
])("%d ms: %s", (milliseconds, text) => {
  expect(ago(milliseconds)).toBe(text);
});
