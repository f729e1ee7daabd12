import type { Measured } from "../api/events.ts";

/** One metric by step. Each has a chart of its own: in a common one, the small ones would lie on the ground. */
export interface Chart {
  readonly name: string;
  readonly points: readonly { readonly step: number; readonly value: number }[];
}

const MOST_CHARTS = 6;
const MOST_POINTS = 300;

/** A chart for each metric, in the order in which they came. Where no steps are given, the measurements are counted. */
export function chartsOf(measured: readonly Measured[]): readonly Chart[] {
  const byName = new Map<string, Map<number, number>>();
  for (const [place, { step, values }] of measured.entries()) {
    for (const [name, value] of Object.entries(values)) {
      const points = byName.get(name) ?? new Map<number, number>();
      // A second attempt begins anew: of one step, the latest value counts.
      points.set(step ?? place + 1, value);
      byName.set(name, points);
    }
  }
  return [...byName].slice(0, MOST_CHARTS).map(([name, points]) => ({ name, points: thinned(sorted(points)) }));
}

function sorted(points: ReadonlyMap<number, number>): Chart["points"] {
  return [...points].map(([step, value]) => ({ step, value })).sort((one, other) => one.step - other.step);
}

/** As many as can be told apart; the last one is always among them. */
function thinned(points: Chart["points"]): Chart["points"] {
  const every = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, place) => (points.length - 1 - place) % every === 0);
}
