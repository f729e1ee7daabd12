import { QueryClient } from "@tanstack/react-query";
import { ApiProblem, isPassing } from "./failures.ts";

const FIRST_RETRY = 1000; // milliseconds; doubled each time
const LONGEST_RETRY = 30_000;

export const keys = {
  models: ["models"] as const,
  jobs: ["jobs"] as const,
  job: (id: string) => ["job", id] as const,
  input: (id: string) => ["input", id] as const,
  events: (id: string) => ["events", id] as const,
  resultSize: (url: string) => ["result-size", url] as const,
};

/** failures: how many before this one. What the server asks for goes before our own back-off. */
export function retryDelay(failures: number, error: unknown): number {
  const asked = error instanceof ApiProblem && error.retryAfter !== null ? error.retryAfter * 1000 : 0;
  return Math.max(asked, Math.min(FIRST_RETRY * 2 ** failures, LONGEST_RETRY));
}

/** Reading goes on until there is an answer. What changes something is done once: the user decides about a second time. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // Whether there is a network says nothing of a server on this machine.
        networkMode: "always",
        retry: (_, error) => isPassing(error),
        retryDelay,
        refetchOnWindowFocus: true,
      },
      mutations: { networkMode: "always", retry: false },
    },
  });
}

/** What was answered to another key is forgotten, and what is shown is asked for anew. */
export async function dropAnswers(client: QueryClient): Promise<void> {
  await client.cancelQueries();
  await client.resetQueries();
}
