import type { Score } from "./shape.ts";

const BAR = 30; // pixels, with the room around it
const AXIS = 36;

/** Known before the chart is loaded, so that nothing moves when it comes. */
export function chartHeight(scores: readonly Score[]): number {
  return scores.length * BAR + AXIS;
}
