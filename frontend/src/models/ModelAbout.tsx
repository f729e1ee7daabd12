import { Alert, Text } from "@mantine/core";
import type { Model } from "../api/types.ts";
import { stateOf } from "./useModels.ts";

/** What a model is, and what its state means for who wants to use it. */
export function ModelAbout({ model }: { readonly model: Model }) {
  const { state, error, version } = stateOf(model);
  return (
    <>
      <Text size="sm">
        {model.description}{" "}
        <Text span c="dimmed" inherit>
          Version {version}
          {model.live_workers > 1 && `, ${model.live_workers} workers`}.
        </Text>
      </Text>
      {state === "loading" && (
        <Notice colour="blue">It is being loaded. Jobs are taken, and wait until it is ready.</Notice>
      )}
      {state === "offline" && (
        <Notice colour="yellow">No worker serves it. Jobs are taken, and wait until one does.</Notice>
      )}
      {state === "failed" && (
        <Notice colour="red">It could not be loaded: {error ?? "the worker's log says why"}. Jobs fail.</Notice>
      )}
    </>
  );
}

function Notice({ colour, children }: { readonly colour: string; readonly children: React.ReactNode }) {
  return (
    <Alert color={colour} variant="light" p="xs">
      {children}
    </Alert>
  );
}
