import type { Draft } from "../schema/draft.ts";
import classes from "./GridPreview.module.css";

const LEAST = 4;
const MOST = 64; // rows, and columns

type Grid = readonly (readonly number[])[];

/** A table of numbers that is small enough to be looked at as a picture; null: something else. */
export function gridOf(draft: Draft): Grid | null {
  if (!Array.isArray(draft) || draft.length < LEAST || draft.length > MOST) return null;
  const [first] = draft as readonly unknown[];
  const width = Array.isArray(first) ? first.length : 0;
  const fits = (row: unknown) =>
    Array.isArray(row) && row.length === width && row.every((cell) => typeof cell === "number" && cell >= 0);
  return width >= LEAST && width <= MOST && draft.every(fits) ? (draft as unknown as Grid) : null;
}

export function GridPreview({ grid }: { readonly grid: Grid }) {
  const most = Math.max(...grid.flat(), Number.MIN_VALUE);
  return (
    <svg
      className={classes["grid"]}
      viewBox={`0 0 ${grid[0]?.length ?? 1} ${grid.length}`}
      role="img"
      aria-label="The numbers as a picture"
      shapeRendering="crispEdges"
    >
      {grid.flatMap((row, y) =>
        row.map((cell, x) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a cell is known by its place, and by nothing else
          <rect key={`${x} ${y}`} x={x} y={y} width={1} height={1} opacity={cell / most} />
        )),
      )}
    </svg>
  );
}
