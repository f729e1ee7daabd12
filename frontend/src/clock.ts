import { useSyncExternalStore } from "react";

// One clock for the whole page: all times that go on change together, once a second.
const TICK = 1000;
// The `Date` header has whole seconds, and an answer has travelled: less than this is no difference.
const NOTICEABLE = 2000;

let now = Date.now();
let ahead = 0;
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

/** Milliseconds since 1970, by the server's clock: the times of jobs are its, and this machine's may be wrong. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** The same, of this very moment, for what is not drawn. */
export function serverNow(): number {
  return Date.now() + ahead;
}

/** header: the `Date` of an answer that has just come. */
export function observeServerTime(header: string | null): void {
  const sent = header === null ? Number.NaN : Date.parse(header);
  if (Number.isNaN(sent)) return;
  const difference = sent - Date.now();
  ahead = Math.abs(difference) < NOTICEABLE ? 0 : difference;
}

function tick(): void {
  now = serverNow();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = serverNow();
    timer = setInterval(tick, TICK);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}
