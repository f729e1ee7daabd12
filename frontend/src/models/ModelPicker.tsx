import { Badge, Radio } from "@mantine/core";
import { type KeyboardEvent, useRef } from "react";
import type { Model, ModelState } from "../api/types.ts";
import type { How } from "../selection.ts";
import classes from "./ModelPicker.module.css";
import { stateOf } from "./useModels.ts";

const COLOURS: Readonly<Record<ModelState, string>> = {
  ready: "teal",
  loading: "blue",
  failed: "red",
  offline: "gray",
};

interface Props {
  readonly models: readonly Model[];
  readonly chosen: string | null;
  readonly onChoose: (name: string, how: How) => void;
}

export function ModelPicker({ models, chosen, onChoose }: Props) {
  // The arrow keys choose each model on their way: only the one that they end at is worth coming back to.
  const walking = useRef(false);
  const onKey = (event: KeyboardEvent) => {
    walking.current = event.type === "keydown" && event.key.startsWith("Arrow");
  };
  return (
    <Radio.Group
      value={chosen}
      onChange={(name) => onChoose(name, { replace: walking.current })}
      name="model"
      aria-label="Model"
    >
      <div
        className={classes["models"]}
        onKeyDownCapture={onKey}
        onKeyUpCapture={onKey}
        onPointerDownCapture={() => {
          walking.current = false;
        }}
      >
        {models.map((model) => (
          <ModelCard key={model.name} model={model} />
        ))}
      </div>
    </Radio.Group>
  );
}

function ModelCard({ model }: { readonly model: Model }) {
  const { state } = stateOf(model);
  return (
    <Radio.Card value={model.name} className={classes["model"] ?? ""} aria-label={`${model.name}: ${state}`}>
      <span className={classes["name"]}>{model.name}</span>
      <Badge variant="light" color={COLOURS[state]} size="sm" className={classes["state"] ?? ""}>
        {state}
      </Badge>
    </Radio.Card>
  );
}
