import { Notification } from "@mantine/core";
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useCallback, useSyncExternalStore } from "react";
import { isPassing } from "./api/failures.ts";
import classes from "./Trouble.module.css";

/** Says that asking fails at the moment, for as long as it does. It lies over the page and moves nothing. */
export function Trouble() {
  const client = useQueryClient();
  const subscribe = useCallback((changed: () => void) => client.getQueryCache().subscribe(changed), [client]);
  const trouble = useSyncExternalStore(subscribe, () => troubleOf(client));
  return (
    <div className={classes["trouble"]} role="status">
      {trouble && (
        <Notification color="orange" title={trouble} withCloseButton={false} withBorder>
          It is asked again until it does. Jobs go on meanwhile.
        </Notification>
      )}
    </div>
  );
}

function troubleOf(client: QueryClient): string | null {
  const failing = client
    .getQueryCache()
    .getAll()
    .find(({ state }) => isPassing(state.fetchFailureReason));
  return failing?.state.fetchFailureReason?.message ?? null;
}
