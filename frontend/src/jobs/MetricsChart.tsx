import "@mantine/charts/styles.css";
import { LineChart } from "@mantine/charts";
import { Text } from "@mantine/core";
import classes from "./JobEvents.module.css";
import type { Chart } from "./measured.ts";

/** A small line by step, and its last value in words: for those who cannot see it, and where there is but one. */
function MetricsChart({ chart: { name, points } }: { readonly chart: Chart }) {
  const last = points.at(-1);
  return (
    <figure className={classes["chart"]}>
      <figcaption className={classes["caption"]}>
        <Text span size="sm" fw={500} truncate>
          {name}
        </Text>
        {last && (
          <Text span size="sm" c="dimmed" className={classes["value"] ?? ""}>
            {short(last.value)} at step {last.step}
          </Text>
        )}
      </figcaption>
      {points.length > 1 && (
        <LineChart
          h={110}
          data={points.map((point) => ({ ...point }))}
          dataKey="step"
          series={[{ name: "value", label: name, color: "blue.6" }]}
          curveType="linear"
          withDots={false}
          withTooltip={false}
          gridAxis="x"
          tickLine="none"
          valueFormatter={short}
          xAxisProps={{ type: "number", domain: ["dataMin", "dataMax"], allowDecimals: false, tickCount: 4 }}
          yAxisProps={{ domain: ["auto", "auto"], width: 46, tickCount: 3 }}
          lineChartProps={{ margin: { top: 6, right: 12, bottom: 0, left: 0 }, accessibilityLayer: false }}
          lineProps={{ isAnimationActive: false }}
          aria-hidden
        />
      )}
    </figure>
  );
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

// biome-ignore lint/style/noDefaultExport: what React loads later has to be one
export default MetricsChart;
