import { Badge } from "@mantine/core";
import type { JobState } from "../api/types.ts";
import classes from "./StateBadge.module.css";
import { STATES } from "./states.ts";

/** As wide for each state, so that nothing moves when it changes. */
export function StateBadge({ state, small = false }: { readonly state: JobState; readonly small?: boolean }) {
  const { colour, meaning } = STATES[state];
  return (
    <Badge
      variant="light"
      size={small ? "sm" : "md"}
      color={colour}
      title={meaning}
      className={classes["state"] ?? ""}
      data-small={small || undefined}
    >
      {state}
    </Badge>
  );
}
