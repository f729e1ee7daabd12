import type { StateMove } from "../api/events.ts";
import classes from "./JobEvents.module.css";

const MOST_MOVES = 12;

/** From state to state, with the attempts: queued, running, queued, running (2), succeeded. */
export function StateMoves({ moves }: { readonly moves: readonly StateMove[] }) {
  const shown = moves.slice(-MOST_MOVES);
  return (
    <ol className={classes["moves"]} aria-label="Its states until now">
      {moves.length > shown.length && <li>…</li>}
      {shown.map(({ seq, at, state, attempt }) => (
        <li key={seq}>
          <span>{state === "running" && attempt > 1 ? `running, attempt ${attempt}` : state}</span>{" "}
          <time dateTime={at}>{new Date(at).toLocaleTimeString("en-GB")}</time>
        </li>
      ))}
    </ol>
  );
}
