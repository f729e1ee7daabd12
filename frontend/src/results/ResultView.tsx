import { Skeleton, Text } from "@mantine/core";
import { lazy, Suspense, useMemo } from "react";
import type { Job } from "../api/types.ts";
import { Boundary } from "../Boundary.tsx";
import { chartHeight } from "./chartHeight.ts";
import { JsonView } from "./JsonView.tsx";
import { LargeResult } from "./LargeResult.tsx";
import classes from "./ResultView.module.css";
import { percent, type Score, shapeOf } from "./shape.ts";
import { VectorSummary } from "./VectorSummary.tsx";

// Larger than all else together, and needed by some results only.
const ScoreChart = lazy(() => import("./ScoreChart.tsx"));

/** A result as what it is, and always as JSON. */
export function ResultView({ job }: { readonly job: Job }) {
  const { result } = job;
  const shape = useMemo(() => shapeOf(result), [result]);
  if (result === null && job.result_url === null) {
    return <Text size="sm">The result was kept for a while, and has been removed.</Text>;
  }
  if (result === null && job.result_url !== null) return <LargeResult url={job.result_url} name={job.id} />;
  return (
    <div className={classes["result"]}>
      {shape.kind === "scores" && <Scores headline={shape.headline} scores={shape.scores} />}
      {shape.kind === "vectors" && <VectorSummary job={job} vectors={shape.vectors} />}
      <JsonView value={result} name={job.id} url={job.urls.result} folded={shape.kind !== "json"} />
    </div>
  );
}

function Scores({ headline, scores }: { readonly headline: string; readonly scores: readonly Score[] }) {
  const best = scores.find(({ label }) => label === headline);
  return (
    <>
      <p className={classes["headline"]}>
        <strong>{headline}</strong>
        {best && <span>{percent(best.score)}</span>}
      </p>
      <Boundary fallback={<NoChart />}>
        <Suspense fallback={<Skeleton height={chartHeight(scores)} />}>
          <ScoreChart scores={scores} />
        </Suspense>
      </Boundary>
    </>
  );
}

/** Its file has another name once the page has been built anew. */
function NoChart() {
  return (
    <Text size="sm" c="dimmed">
      The chart cannot be loaded. Reload the page: it may have been rebuilt meanwhile. The scores are below, as JSON.
    </Text>
  );
}
