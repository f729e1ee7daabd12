import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { listModels } from "../api/client.ts";
import { keys } from "../api/queries.ts";
import type { Model, ModelState } from "../api/types.ts";

const SETTLING = 2000; // milliseconds, while one of them is loading
const SETTLED = 10_000;

/** Each model by its default version: what a submission from this page gets. */
export function stateOf(model: Model): {
  readonly state: ModelState;
  readonly error: string | null;
  readonly version: number;
} {
  const { state, error, version } = model.versions.find((one) => one.default) ?? NONE;
  return { state, error, version };
}

const NONE = { state: "offline" as const, error: null, version: 0 };

export function useModels(): UseQueryResult<readonly Model[]> {
  return useQuery({
    queryKey: keys.models,
    queryFn: ({ signal }) => listModels(signal),
    refetchInterval: ({ state }) => (isSettled(state.data) ? SETTLED : SETTLING),
  });
}

function isSettled(models: readonly Model[] | undefined): boolean {
  return models !== undefined && models.length > 0 && models.every((model) => stateOf(model).state !== "loading");
}
