import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterEach, beforeEach, vi } from "vitest";
import { setKey } from "../api/credentials.ts";

// On a machine that does much else, what is loaded lazily takes its time.
configure({ asyncUtilTimeout: 20_000 });

// What Mantine asks of a browser and jsdom does not have.
window.matchMedia = (query) =>
  ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }) as unknown as MediaQueryList;
window.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
Object.defineProperty(document, "fonts", {
  value: { addEventListener: () => undefined, removeEventListener: () => undefined },
});
Element.prototype.scrollIntoView = () => undefined;
HTMLCanvasElement.prototype.getContext = () => null;

beforeEach(() => {
  window.history.replaceState(null, "", "/");
  // Whatever is shown, nothing may be said to the console that a developer would have to look into.
  vi.spyOn(console, "error").mockImplementation((...said) => {
    throw new Error(`console.error: ${said.join(" ")}`);
  });
});

afterEach(() => {
  cleanup();
  setKey(null);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
