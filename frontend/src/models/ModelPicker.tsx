import { Badge, Radio } from "@mantine/core";
import type { Model, ModelState } from "../api/types.ts";
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
  readonly onChoose: (name: string) => void;
}

export function ModelPicker({ models, chosen, onChoose }: Props) {
  return (
    <Radio.Group value={chosen} onChange={onChoose} name="model" aria-label="Model">
      <div className={classes["models"]}>
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
