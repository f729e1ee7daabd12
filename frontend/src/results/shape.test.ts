import { expect, test } from "vitest";
import { percent, shapeOf } from "./shape.ts";

test("labels with scores are a chart, with the named one above it", () => {
  const scores = [
    { label: "sport", score: 0.9 },
    { label: "politics", score: 0.1 },
  ];

  expect(shapeOf({ label: "sport", scores })).toEqual({ kind: "scores", headline: "sport", scores });
});

test("probabilities without names are those of 0, 1, 2, …", () => {
  expect(shapeOf({ digit: 1, probabilities: [0.2, 0.8] })).toEqual({
    kind: "scores",
    headline: "1",
    scores: [
      { label: "0", score: 0.2 },
      { label: "1", score: 0.8 },
    ],
  });
});

test("the likeliest stands above the chart where none is named", () => {
  expect(shapeOf({ probabilities: [0.2, 0.7, 0.1] })).toMatchObject({ headline: "1" });
});

test("vectors of one length are summed up", () => {
  const vector = Array.from({ length: 8 }, () => 0.1);

  expect(shapeOf({ embeddings: [vector, vector] }).kind).toBe("vectors");
  expect(shapeOf([vector]).kind).toBe("vectors");
});

test.each([
  [null],
  [3],
  ["text"],
  [{}],
  [[]],
  [{ scores: [] }],
  [{ scores: [{ label: "a", score: 7 }] }],
  [{ probabilities: [0.5, "x"] }],
  [{ embeddings: [[1, 2], [3]] }],
  [{ embeddings: [[1, 2, 3, 4, 5, 6, 7, 8], [1]] }],
])("%j is shown as JSON", (result) => {
  expect(shapeOf(result)).toEqual({ kind: "json" });
});

test("a small share is not shown as none", () => {
  expect(percent(0.0004)).toBe("0.04 %");
  expect(percent(0.123)).toBe("12.3 %");
  expect(percent(0)).toBe("0.0 %");
});
