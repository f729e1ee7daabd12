import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import type { Job } from "../api/types.ts";
import { JOB, json, SUCCEEDED, serve } from "../testing/api.ts";
import { show } from "../testing/render.tsx";
import { ResultView } from "./ResultView.tsx";

function result(value: unknown, more: Partial<Job> = {}) {
  show(<ResultView job={{ ...SUCCEEDED, result: value, ...more }} />);
}

test("scores are a chart, and a table for those who cannot see it", async () => {
  result({
    label: "sport",
    scores: [
      { label: "sport", score: 0.9 },
      { label: "politics", score: 0.1 },
    ],
  });

  expect(screen.getByText("sport", { selector: "strong" })).toBeVisible();
  expect(await screen.findByRole("row", { name: "politics 10.0 %" })).toBeInTheDocument();
});

test("vectors are compared, under the texts that they were made of", async () => {
  const asked = serve(() => json({ ...SUCCEEDED, input: { texts: ["a cat", "a rate"] } }));
  result({
    embeddings: [
      [1, 0, 0, 0, 0, 0, 0, 0],
      [0.6, 0.8, 0, 0, 0, 0, 0, 0],
    ],
  });

  expect(screen.getByText("2 vectors of 8 numbers")).toBeVisible();
  expect(screen.getAllByRole("cell", { name: "0.60" })).toHaveLength(2);
  await waitFor(() => expect(screen.getByRole("rowheader", { name: "2. a rate" })).toBeVisible());
  expect(asked[0]?.query.get("include")).toBe("input");
});

test("many vectors are not compared, and their input is not fetched", () => {
  const asked = serve(() => json(SUCCEEDED));
  result({ embeddings: Array.from({ length: 5000 }, () => [1, 0, 0, 0, 0, 0, 0, 0]) });

  expect(screen.getByText("5,000 vectors of 8 numbers")).toBeVisible();
  expect(screen.getAllByRole("row")).toHaveLength(6);
  expect(asked).toHaveLength(0);
});

test.each([
  [{ text: "cba" }, '{ "text": "cba" }'],
  ["text", '"text"'],
  [0, "0"],
  [false, "false"],
  [[], "[]"],
])("%j is shown as JSON", (value, text) => {
  result(value);

  expect(screen.getByRole("region", { name: "Result as JSON" }).textContent).toBe(text);
});

test("markup in a result is text", () => {
  result({ text: "<img src=x onerror=alert(1)>" });

  expect(document.querySelector("img")).toBeNull();
});

test("a long result is folded, then cut, and can be downloaded as a whole", async () => {
  const user = userEvent.setup();
  result({ text: "x".repeat(50_000) });
  expect(screen.queryByRole("region", { name: "Result as JSON" })).toBeNull();

  await user.click(screen.getByText("As JSON"));

  expect(screen.getByText(/characters more$/)).toBeVisible();
  const download = screen.getByRole("link", { name: "Download" });
  expect(download).toHaveAttribute("href", JOB.urls.result);
  expect(download).toHaveAttribute("download", `${JOB.id}.json`);
});

test("JSON stands folded below what is shown better", async () => {
  const user = userEvent.setup();
  result({ embeddings: Array.from({ length: 20 }, () => [1, 0, 0, 0, 0, 0, 0, 0]) });
  expect(screen.queryByRole("region", { name: "Result as JSON" })).toBeNull();

  await user.click(screen.getByText("As JSON"));

  expect(await screen.findByRole("region", { name: "Result as JSON" })).toBeVisible();
});

test("a result that was removed is said so", () => {
  result(null);

  expect(screen.getByText(/has been removed/)).toBeVisible();
});
