import { Skeleton } from "@mantine/core";
import { lazy, Suspense, useMemo } from "react";
import { Boundary } from "../Boundary.tsx";
import classes from "./JobEvents.module.css";
import { LogLines } from "./LogLines.tsx";
import { chartsOf } from "./measured.ts";
import { StateMoves } from "./StateMoves.tsx";
import type { Events } from "./useEvents.ts";

// Larger than all else together, and needed by some jobs only.
const MetricsChart = lazy(() => import("./MetricsChart.tsx"));

/** What a job has said, and how it came to where it is. Nothing, where there is nothing to be seen. */
export function JobEvents({ events: { moves, lines, measured } }: { readonly events: Events }) {
  const charts = useMemo(() => chartsOf(measured), [measured]);
  return (
    <>
      {moves.length > 1 && <StateMoves moves={moves} />}
      {charts.length > 0 && (
        <section aria-label="Metrics" className={classes["charts"]}>
          {charts.map((chart) => (
            <Boundary key={chart.name} fallback={null}>
              <Suspense fallback={<Skeleton height={140} />}>
                <MetricsChart chart={chart} />
              </Suspense>
            </Boundary>
          ))}
        </section>
      )}
      {lines.length > 0 && <LogLines lines={lines} />}
    </>
  );
}
