import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { listJobs } from "../api/client.ts";
import { keys } from "../api/queries.ts";
import type { Job } from "../api/types.ts";
import { isFinished } from "./states.ts";

const LIMIT = 20;
const BUSY = 3000; // milliseconds, while one of them goes on
const QUIET = 15_000;

/** The latest jobs, newest first. */
export function useJobs(): UseQueryResult<readonly Job[]> {
  return useQuery({
    queryKey: keys.jobs,
    queryFn: ({ signal }) => listJobs(LIMIT, signal),
    refetchInterval: ({ state }) => (state.data?.some((job) => !isFinished(job.state)) ? BUSY : QUIET),
  });
}
