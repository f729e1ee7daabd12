import { type UseMutationResult, useMutation } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { submitJob } from "../api/client.ts";
import { ApiProblem, Unreachable } from "../api/failures.ts";
import { retryDelay } from "../api/queries.ts";
import type { Job, Json } from "../api/types.ts";
import { serverNow } from "../clock.ts";
import { uniqueName } from "../uniqueName.ts";

/** After the first try. With the waits between them, half a minute. */
const REPEATS = 5;
/** Seconds. Who asks for more is not waited for in silence: it is said, and counted down. */
const LONGEST_SILENT_WAIT = 5;
// The second half of a double click comes this much later, and must not submit anything.
const DOUBLE_CLICK = 500; // milliseconds

interface Press {
  readonly value: Json;
  readonly key: string;
}

export interface Submission {
  readonly sending: UseMutationResult<Job, Error, Press>;
  /** By the server's clock, in milliseconds: the API has asked not to be asked before. 0: it has not. */
  readonly notBefore: number;
  /** Does nothing at the second half of a double click, and before the API may be asked again. */
  readonly press: (value: Json, onError: (error: Error) => void) => void;
  readonly isBlocked: () => boolean;
}

/** One job for each press of the button, whatever becomes of the answers in between. */
export function useSubmission(model: string, onSubmitted: (job: Job) => void): Submission {
  const blocked = useRef(0); // until when, in milliseconds
  // What may have been stored although nobody said so: the same again is sent with the same key.
  const unclear = useRef<{ readonly text: string; readonly key: string } | null>(null);
  const [notBefore, setNotBefore] = useState(0);
  const sending = useMutation<Job, Error, Press>({
    mutationFn: ({ value, key }) => submitJob(model, value, key),
    retry: (failures, error) => failures < REPEATS && isRepeated(error),
    retryDelay,
    onSuccess: onSubmitted,
    onError: (error, { value, key }) => {
      if (mayBeStored(error)) unclear.current = { text: JSON.stringify(value), key };
      setNotBefore(refusedFor(error) === null ? 0 : serverNow() + (refusedFor(error) ?? 0) * 1000);
    },
    onSettled: () => {
      blocked.current = performance.now() + DOUBLE_CLICK;
    },
  });
  const press: Submission["press"] = (value, onError) => {
    const text = JSON.stringify(value);
    const key = unclear.current?.text === text ? unclear.current.key : uniqueName();
    unclear.current = null;
    blocked.current = Number.POSITIVE_INFINITY;
    setNotBefore(0);
    sending.mutate({ value, key }, { onError });
  };
  return {
    sending,
    notBefore,
    press,
    isBlocked: () => performance.now() < blocked.current || serverNow() < notBefore,
  };
}

/** Whether the job may have been stored although the answer was none, or no good one. */
export function mayBeStored(error: Error): boolean {
  if (!(error instanceof ApiProblem)) return error instanceof Unreachable;
  // A 503 of the API itself is a refusal, unless it says that the database has not answered.
  if (error.status === 503 && error.code !== "") return error.code === "database_unavailable";
  return error.status >= 500 || isInUse(error);
}

/** Seconds, where the API takes no submissions for a while, and says how long. */
function refusedFor(error: Error): number | null {
  return error instanceof ApiProblem && BUSY.has(error.status) ? error.retryAfter : null;
}

function isRepeated(error: Error): boolean {
  if (!(error instanceof ApiProblem)) return error instanceof Unreachable;
  return (PASSING.has(error.status) || isInUse(error)) && (error.retryAfter ?? 0) <= LONGEST_SILENT_WAIT;
}

/** The first one with the same key is still being stored. */
function isInUse({ status, code }: ApiProblem): boolean {
  return status === 409 && code === "idempotency_key_in_use";
}

const PASSING: ReadonlySet<number> = new Set([502, 503, 504]);
const BUSY: ReadonlySet<number> = new Set([429, 503]);
