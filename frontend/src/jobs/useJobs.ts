import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { listJobs } from "../api/client.ts";
import { keys } from "../api/queries.ts";
import type { Job } from "../api/types.ts";
import type { Watched } from "./poll.ts";
import { canBeRetried, isFinished } from "./states.ts";

const LIMIT = 20;
const BUSY = 3000; // milliseconds, while one of them goes on
const QUIET = 15_000;

/** The latest jobs, newest first. */
export function useJobs(): UseQueryResult<readonly Job[]> {
  const client = useQueryClient();
  const found = useQuery({
    queryKey: keys.jobs,
    queryFn: ({ signal }) => listJobs(LIMIT, signal),
    refetchInterval: ({ state }) => (state.data?.some((job) => !isFinished(job.state)) ? BUSY : QUIET),
  });
  const { data: jobs } = found;
  useEffect(() => {
    // A job that is over is not followed any more: the list tells when somebody else has retried it.
    for (const { id, state } of jobs ?? []) {
      const known = client.getQueryData<Watched>(keys.job(id))?.job.state;
      if (known && known !== state && canBeRetried(known)) void client.invalidateQueries({ queryKey: keys.job(id) });
    }
  }, [client, jobs]);
  return found;
}
