import { VisuallyHidden } from "@mantine/core";
import { notifyManager, useQueryClient } from "@tanstack/react-query";
import { useCallback, useSyncExternalStore } from "react";
import { keys } from "../api/queries.ts";
import type { Watched } from "./poll.ts";

/**
 * Reads out what becomes of the job that is shown. It is there before any job is, and stays: words that come together
 * with the region that they stand in are not read out everywhere.
 */
export function JobStatus({ id }: { readonly id: string | null }) {
  const client = useQueryClient();
  // The panel asks; here it is only listened.
  const subscribe = useCallback(
    (changed: () => void) => client.getQueryCache().subscribe(notifyManager.batchCalls(changed)),
    [client],
  );
  const words = useSyncExternalStore(subscribe, () => {
    const known = id === null ? undefined : client.getQueryState<Watched>(keys.job(id));
    return known?.data && known.error === null ? `Job of ${known.data.job.model}: ${known.data.job.state}` : "";
  });
  return <VisuallyHidden role="status">{words}</VisuallyHidden>;
}
