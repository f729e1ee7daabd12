import { Alert, Button, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import type { Job, Json, Model } from "../api/types.ts";
import { type Draft, read } from "../schema/draft.ts";
import { fieldOf } from "../schema/field.ts";
import classes from "./ModelForm.module.css";
import { ModelForm } from "./ModelForm.tsx";

/** An input to begin with, for one model. */
export interface Reused {
  readonly model: string;
  readonly value: Json;
}

interface Props {
  readonly model: Model;
  readonly reused: Reused | null;
  /** Once it is in the form, it is done with: coming back to the model later begins with an empty form. */
  readonly onUsed: (left: null) => void;
  readonly onSubmitted: (job: Job) => void;
}

interface Made {
  readonly schema: Model["input_schema"];
  readonly input: { readonly value: Json } | null;
  readonly count: number;
}

/** A form is made anew for an input that is to be used again, and for a schema that has changed: unless somebody writes in it. */
export function NewJob({ model, reused, onUsed, onSubmitted }: Props) {
  const input = reused?.model === model.name ? reused : null;
  const [made, setMade] = useState<Made>({ schema: model.input_schema, input, count: 0 });
  const [draft, setDraft] = useState<Draft>(undefined);
  const begin = (from: Made["input"]) => {
    setMade({ schema: model.input_schema, input: from, count: made.count + 1 });
    setDraft(undefined);
  };
  const changed = !isSame(made.schema, model.input_schema);
  if (input !== null && made.input !== input) begin(input);
  else if (changed && draft === undefined) begin(null);
  useEffect(() => {
    if (input !== null) onUsed(null);
  }, [input, onUsed]);
  const renew = () => begin({ value: written(made.schema, draft) });
  return (
    <>
      <div role="status" className={classes["live"]}>
        {changed && draft !== undefined && (
          <Alert color="blue" title="The model has changed" role="presentation">
            <Text size="sm">
              It has another form now, and may refuse what this one sends. What is written is taken along where it fits.
            </Text>
            <Button variant="default" size="xs" mt="xs" onClick={renew}>
              Take the new form
            </Button>
          </Alert>
        )}
      </div>
      <ModelForm
        key={made.count}
        model={{ ...model, input_schema: made.schema }}
        input={made.input}
        onSubmitted={onSubmitted}
        onDraft={setDraft}
      />
    </>
  );
}

/** As far as it is a value already. */
function written(schema: Model["input_schema"], draft: Draft): Json {
  const field = fieldOf(schema, schema);
  return read(field, draft, true).value ?? null;
}

function isSame(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
