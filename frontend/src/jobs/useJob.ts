import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { keys } from "../api/queries.ts";
import { ask, type Watched } from "./poll.ts";
import { isFinished } from "./states.ts";

/** A job, asked for until it has finished. While the page is hidden nothing is asked; once it is seen again, at once. */
export function useJob(id: string): UseQueryResult<Watched> {
  const client = useQueryClient();
  const key = keys.job(id);
  return useQuery({
    queryKey: key,
    queryFn: ({ signal }) => ask(id, client.getQueryData<Watched>(key), signal),
    // All other ends can be undone: somebody else may retry the job.
    staleTime: ({ state }) => (state.data?.job.state === "succeeded" ? Number.POSITIVE_INFINITY : 0),
    refetchInterval: ({ state }) => {
      // What passes is tried again, and is no error yet: this one is the API's last word.
      if (state.status === "error") return false;
      if (state.data === undefined || isOver(state.data) || state.fetchStatus !== "idle") return false;
      return state.data.pause;
    },
  });
}

function isOver(watched: Watched | undefined): boolean {
  return watched !== undefined && isFinished(watched.job.state);
}
