import type { JobState } from "../api/types.ts";

interface About {
  readonly colour: string;
  readonly finished: boolean;
  /** What it means, in half a sentence. */
  readonly meaning: string;
}

export const STATES: Readonly<Record<JobState, About>> = {
  queued: { colour: "gray", finished: false, meaning: "waiting for a worker" },
  running: { colour: "blue", finished: false, meaning: "a worker has it" },
  cancelling: { colour: "orange", finished: false, meaning: "asked to stop, not stopped yet" },
  succeeded: { colour: "teal", finished: true, meaning: "has a result" },
  failed: { colour: "red", finished: true, meaning: "has an error" },
  cancelled: { colour: "gray", finished: true, meaning: "ended on request, without a result" },
  expired: { colour: "yellow", finished: true, meaning: "waited longer than it was allowed to" },
};

export function isFinished(state: JobState): boolean {
  return STATES[state].finished;
}

export function canBeCancelled(state: JobState): boolean {
  return state === "queued" || state === "running";
}

export function canBeRetried(state: JobState): boolean {
  return state === "failed" || state === "cancelled" || state === "expired";
}
