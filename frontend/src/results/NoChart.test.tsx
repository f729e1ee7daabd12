import { screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { SUCCEEDED } from "../testing/api.ts";
import { show } from "../testing/render.tsx";
import { ResultView } from "./ResultView.tsx";

vi.mock("./ScoreChart.tsx", () => {
  throw new Error("404");
});

test("a chart whose file is gone leaves the rest of the result", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);

  show(<ResultView job={{ ...SUCCEEDED, result: { scores: [{ label: "sport", score: 1 }] } }} />);

  expect(await screen.findByText(/The chart cannot be loaded/)).toBeVisible();
  expect(screen.getByText("sport")).toBeVisible();
  expect(screen.getByText("As JSON")).toBeVisible();
});
