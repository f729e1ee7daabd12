import { Title } from "@mantine/core";
import { useLayoutEffect, useRef } from "react";
import type { LogLine } from "../api/events.ts";
import classes from "./JobEvents.module.css";
import { MOST_LINES } from "./useEvents.ts";

const AT_THE_END = 24; // pixels

/** As tall however many lines there are: what comes below it does not move. */
export function LogLines({ lines }: { readonly lines: readonly LogLine[] }) {
  const box = useRef<HTMLElement>(null);
  const following = useRef(true); // until somebody scrolls up to read
  const last = lines.at(-1)?.seq;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line is what it is about
  useLayoutEffect(() => {
    if (following.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [last]);
  return (
    <div>
      <Title order={3} size="h6" mb={4}>
        Log
        {lines.length >= MOST_LINES && <span className={classes["few"]}>, the last {MOST_LINES} lines</span>}
      </Title>
      <section
        ref={box}
        aria-label="Log"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached with the keyboard
        tabIndex={0}
        className={classes["log"]}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          following.current = scrollHeight - scrollTop - clientHeight < AT_THE_END;
        }}
      >
        <ol>
          {lines.map(({ seq, at, level, message }) => (
            <li key={seq} data-level={level}>
              <time dateTime={at}>{clockTime(at)}</time>
              <span>
                {level !== "info" && <b>{level} </b>}
                {message}
              </span>
            </li>
          ))}
        </ol>
      </section>
    </div>
  );
}

function clockTime(at: string): string {
  return new Date(at).toLocaleTimeString("en-GB");
}
