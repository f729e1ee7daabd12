import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { getEvents, type LogLine, lineOf, type Measured, measuredOf, moveOf, type StateMove } from "../api/events.ts";
import { keys } from "../api/queries.ts";
import type { Job } from "../api/types.ts";
import { isFinished } from "./states.ts";

/** What the page keeps of a job that talks: the latest lines, and the latest measurements. */
export const MOST_LINES = 1000;
const MOST_MEASURED = 1000;
const MANY = 100; // events
const RUNNING = 1500; // milliseconds between two questions; a queued job's events come with its states

export interface Events {
  readonly lastSeq: number;
  readonly moves: readonly StateMove[];
  readonly lines: readonly LogLine[];
  readonly measured: readonly Measured[];
}

const NONE: Events = { lastSeq: 0, moves: [], lines: [], measured: [] };

/** Asked for as plain JSON: an EventSource can carry no key, and holds one of the few connections a browser has. */
export function useEvents(job: Job): Events {
  const client = useQueryClient();
  const key = keys.events(job.id);
  const { data } = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => allSince(job.urls.events, client.getQueryData<Events>(key) ?? NONE, signal),
    staleTime: Number.POSITIVE_INFINITY, // asked for by the two below
    refetchInterval: ({ state: { status } }) =>
      job.state !== "queued" && !isFinished(job.state) && status !== "error" ? RUNNING : false,
  });
  const known = data?.moves.at(-1);
  const behind = data !== undefined && (known?.state !== job.state || known.attempt < job.attempt);
  useEffect(() => {
    // The panel follows the job's state by itself, and sooner: its last lines come right after it.
    if (behind) void client.invalidateQueries({ queryKey: keys.events(job.id) });
  }, [client, job.id, behind]);
  return data ?? NONE;
}

/** What is known, and what has come since. An answer has so many events at most: after one that has many, more follow. */
async function allSince(url: string, known: Events, signal: AbortSignal): Promise<Events> {
  let all = known;
  for (;;) {
    const events = await getEvents(url, all.lastSeq, signal);
    const latest = events.at(-1);
    if (latest === undefined) return all;
    all = {
      lastSeq: latest.seq,
      moves: [...all.moves, ...events.flatMap((event) => moveOf(event) ?? [])],
      lines: [...all.lines, ...events.flatMap((event) => lineOf(event) ?? [])].slice(-MOST_LINES),
      measured: [...all.measured, ...events.flatMap((event) => measuredOf(event) ?? [])].slice(-MOST_MEASURED),
    };
    if (events.length < MANY) return all;
  }
}
