import { screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { Boundary } from "./Boundary.tsx";
import { show } from "./testing/render.tsx";

function Breaking(): React.ReactNode {
  throw new Error("cannot be drawn");
}

test("what cannot be drawn is said in its place, and the rest stays", () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);

  show(
    <>
      <p>The rest</p>
      <Boundary>
        <Breaking />
      </Boundary>
    </>,
  );

  expect(screen.getByText("The rest")).toBeVisible();
  expect(screen.getByText("This cannot be shown")).toBeVisible();
});

test("something else can stand in its place", () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);

  show(
    <Boundary fallback="Something else">
      <Breaking />
    </Boundary>,
  );

  expect(screen.getByText("Something else")).toBeVisible();
});
