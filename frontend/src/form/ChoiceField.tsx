import { NativeSelect } from "@mantine/core";
import type { FieldOf } from "../schema/field.ts";
import { complaint, type FieldProps, named } from "./props.ts";

const NOTHING = "";

/** Options can be any JSON: they are told apart by their place. */
export function ChoiceField(props: FieldProps<FieldOf<"choice">>) {
  const { field, label, inList, required, draft, onChange, faults } = props;
  const chosen = field.options.findIndex((option) => JSON.stringify(option) === JSON.stringify(draft));
  const options = field.options.map((option, place) => ({
    value: String(place),
    label: typeof option === "string" ? option : JSON.stringify(option),
  }));
  // Only while nothing is chosen, where something has to be.
  const nothing = required && !field.nullable ? "Choose one" : "none";
  const data = required && !field.nullable && chosen >= 0 ? options : [{ value: NOTHING, label: nothing }, ...options];
  return (
    <NativeSelect
      {...named(label, inList)}
      description={field.description}
      withAsterisk={required}
      required={required}
      error={complaint(faults)}
      data={data}
      value={chosen < 0 ? NOTHING : String(chosen)}
      onChange={({ currentTarget: { value } }) =>
        onChange(value === NOTHING ? undefined : field.options[Number(value)])
      }
    />
  );
}
