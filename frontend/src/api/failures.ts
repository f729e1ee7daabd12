import type { Fault } from "./types.ts";

/** The API has answered, and refused: an `application/problem+json` (RFC 9457), or what a proxy says in its place. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly title: string;
  /** Stable, where the API itself has answered. */
  readonly code: string;
  readonly detail: string;
  readonly faults: readonly Fault[];
  /** Seconds, where the answer has a `Retry-After`. */
  readonly retryAfter: number | null;

  constructor(response: Pick<Response, "status" | "headers">, body: unknown) {
    const told = isRecord(body) ? body : {};
    const title = text(told["title"]) || `The API answered with status ${response.status}`;
    super(title);
    this.name = "ApiProblem";
    this.status = response.status;
    this.title = title;
    this.code = text(told["code"]);
    this.detail = text(told["detail"]);
    this.faults = Array.isArray(told["errors"]) ? told["errors"].filter(isFault) : [];
    this.retryAfter = seconds(response.headers.get("Retry-After"));
  }
}

/** There was no answer: no network, no server, or none within the time it may take. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super("The API does not answer", { cause });
    this.name = "Unreachable";
  }
}

/** Whether the same request may well succeed in a moment. */
export function isPassing(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ApiProblem && PASSING.has(error.status));
}

/** `Retry-After` in seconds; its other form, a date, is none that this API sends. */
export function seconds(header: string | null): number | null {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : null;
}

const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isFault(value: unknown): value is Fault {
  return isRecord(value) && typeof value["path"] === "string" && typeof value["message"] === "string";
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
