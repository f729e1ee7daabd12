import { useSyncExternalStore } from "react";

/** What is looked at. It is in the address, so that a reload and a link show the same. */
export interface Selection {
  readonly model: string | null;
  readonly job: string | null;
}

const CHANGED = "torchrelay:selection";

export function useSelection(): Selection {
  const search = useSyncExternalStore(subscribe, () => window.location.search);
  const asked = new URLSearchParams(search);
  return { model: asked.get("model"), job: asked.get("job") };
}

/** How the address changes. replace: what was there before is nothing that the browser's button should lead back to. */
export interface How {
  readonly replace?: boolean;
}

/** What is left out stays as it is; null takes it away. The browser's own button leads back. */
export function select(changes: Partial<Selection>, { replace = false }: How = {}): void {
  const asked = new URLSearchParams(window.location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) asked.delete(name);
    else asked.set(name, value);
  }
  const search = asked.size > 0 ? `?${asked}` : "";
  if (search === window.location.search) return;
  const address = window.location.pathname + search;
  if (replace) window.history.replaceState(null, "", address);
  else window.history.pushState(null, "", address);
  window.dispatchEvent(new Event(CHANGED));
}

export function addressOf(selection: Selection): string {
  const given = Object.entries(selection).filter((entry): entry is [string, string] => entry[1] !== null);
  return `?${new URLSearchParams(given)}`;
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("popstate", listener);
  window.addEventListener(CHANGED, listener);
  return () => {
    window.removeEventListener("popstate", listener);
    window.removeEventListener(CHANGED, listener);
  };
}
