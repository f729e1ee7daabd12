import type { Fault } from "../api/types.ts";
import type { Draft } from "../schema/draft.ts";
import type { Property } from "../schema/field.ts";
import { FormField } from "./FormField.tsx";
import { labelOf, within } from "./props.ts";

interface Props {
  readonly properties: readonly Property[];
  readonly draft: { readonly [name: string]: Draft };
  readonly onChange: (draft: Draft) => void;
  readonly faults: readonly Fault[];
  readonly example?: unknown;
}

export function Properties({ properties, draft, onChange, faults, example }: Props) {
  const examples = (typeof example === "object" && example !== null ? example : {}) as Readonly<
    Record<string, unknown>
  >;
  return properties.map(({ name, required, field }) => (
    <FormField
      key={name}
      field={field}
      label={labelOf(name, field.title)}
      required={required}
      draft={draft[name]}
      onChange={(next) => onChange({ ...draft, [name]: next })}
      faults={within(faults, name)}
      example={examples[name]}
    />
  ));
}
