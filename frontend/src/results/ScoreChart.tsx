import "@mantine/charts/styles.css";
import { BarChart } from "@mantine/charts";
import { VisuallyHidden } from "@mantine/core";
import { chartHeight } from "./chartHeight.ts";
import { percent, type Score } from "./shape.ts";

const LONGEST_LABEL = 18; // characters

/** One bar for each label; the same as a table for those who cannot see it. */
function ScoreChart({ scores }: { readonly scores: readonly Score[] }) {
  const data = scores.map(({ label, score }) => ({ label, score }));
  const widest = Math.min(LONGEST_LABEL, Math.max(...scores.map(({ label }) => label.length)));
  return (
    <>
      <BarChart
        h={chartHeight(scores)}
        data={data}
        dataKey="label"
        series={[{ name: "score", label: "Score", color: "blue.6" }]}
        orientation="vertical"
        valueFormatter={percent}
        withBarValueLabel
        withTooltip={false}
        maxBarWidth={18}
        gridAxis="none"
        tickLine="none"
        xAxisProps={{ domain: [0, 1], tickFormatter: (share: number) => `${Math.round(share * 100)} %` }}
        yAxisProps={{ width: widest * 8 + 16, interval: 0, tickFormatter: shortened }}
        barChartProps={{ margin: { top: 4, right: 48, bottom: 0, left: 0 }, accessibilityLayer: false }}
        barProps={{ radius: 3, isAnimationActive: false }}
        aria-hidden
      />
      <VisuallyHidden>
        <table>
          <caption>Scores</caption>
          <tbody>
            {scores.map(({ label, score }) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                <td>{percent(score)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </VisuallyHidden>
    </>
  );
}

function shortened(label: string): string {
  return label.length <= LONGEST_LABEL ? label : `${label.slice(0, LONGEST_LABEL - 1)}…`;
}

// biome-ignore lint/style/noDefaultExport: what React loads later has to be one
export default ScoreChart;
