import { useSyncExternalStore } from "react";
import type { ApiProblem } from "./failures.ts";

// Of this tab, and gone with it: a key does not lie about on a machine that others use.
const STORED = "torchrelay:key";

export interface Access {
  readonly key: string | null;
  /** The API has refused what was sent to it last, with this key or without one; null: it takes it, or was not asked. */
  readonly refused: ApiProblem | null;
}

let access: Access = { key: stored(), refused: null };
const listeners = new Set<() => void>();

export function useAccess(): Access {
  return useSyncExternalStore(subscribe, currentAccess);
}

export function currentAccess(): Access {
  return access;
}

/** key: a checked one; null forgets it. What is cached belongs to the one before it: dropping it is the caller's. */
export function setKey(key: string | null): void {
  try {
    if (key === null) window.sessionStorage.removeItem(STORED);
    else window.sessionStorage.setItem(STORED, key);
  } catch {
    // Storage that is turned off: the key is then kept for as long as the page is open.
  }
  change({ key, refused: null });
}

/** used: the key that the refused request had. What another one was refused before it was changed, says nothing now. */
export function refuseAccess(problem: ApiProblem, used: string | null): void {
  if (used === access.key) change({ ...access, refused: problem });
}

/** For a header. */
export function authorization(key: string | null): Readonly<Record<string, string>> {
  return key === null ? {} : { Authorization: `Bearer ${key}` };
}

function change(next: Access): void {
  access = next;
  for (const listener of listeners) listener();
}

function stored(): string | null {
  try {
    return window.sessionStorage.getItem(STORED);
  } catch {
    return null;
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
