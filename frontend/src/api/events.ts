import { reached, request } from "./transport.ts";
import type { JobState } from "./types.ts";

/** What happened to a job. `seq` counts from 1, without holes. */
export interface JobEvent {
  readonly seq: number;
  readonly type: "state" | "progress" | "log" | "metrics";
  readonly at: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface LogLine {
  readonly seq: number;
  readonly at: string;
  readonly level: string;
  readonly message: string;
}

export interface StateMove {
  readonly seq: number;
  readonly at: string;
  readonly state: JobState;
  readonly attempt: number;
}

export interface Measured {
  readonly seq: number;
  readonly step: number | null;
  readonly values: Readonly<Record<string, number>>;
}

/** url: as the job has it. after: the last `seq` that is known. */
export async function getEvents(url: string, after: number, signal: AbortSignal): Promise<readonly JobEvent[]> {
  const response = await request(`${url}?after=${after}`, { headers: { Accept: "application/json" } }, signal);
  return (await reached(response.json(), signal)).events;
}

/** null: another type. */
export function lineOf({ seq, type, at, data }: JobEvent): LogLine | null {
  if (type !== "log") return null;
  return { seq, at, level: text(data["level"]) || "info", message: text(data["message"]) };
}

export function moveOf({ seq, type, at, data }: JobEvent): StateMove | null {
  if (type !== "state") return null;
  const attempt = data["attempt"];
  return { seq, at, state: text(data["state"]) as JobState, attempt: typeof attempt === "number" ? attempt : 0 };
}

export function measuredOf({ seq, type, data }: JobEvent): Measured | null {
  if (type !== "metrics") return null;
  const { step, values } = data;
  const numbers = Object.entries(typeof values === "object" && values !== null ? values : {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
  return { seq, step: typeof step === "number" ? step : null, values: Object.fromEntries(numbers) };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
