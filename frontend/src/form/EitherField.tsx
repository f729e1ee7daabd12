import { Input, SegmentedControl } from "@mantine/core";
import { useRef } from "react";
import { type Draft, isGroup } from "../schema/draft.ts";
import type { FieldOf } from "../schema/field.ts";
import classes from "./GroupField.module.css";
import { Properties } from "./Properties.tsx";
import { complaint, type FieldProps, labelOf, unplaced } from "./props.ts";

/** One of several properties: the others are not shown, and not sent. */
export function EitherField({ field, label, draft, onChange, faults, example }: FieldProps<FieldOf<"either">>) {
  const given = isGroup(draft) ? draft : {};
  const chosen = field.properties.find(({ name }) => Object.hasOwn(given, name)) ?? field.properties[0];
  // What was given elsewhere comes back with it.
  const kept = useRef<Record<string, Draft>>({});
  if (chosen === undefined) return null;
  const choose = (name: string) => {
    kept.current[chosen.name] = given[chosen.name];
    onChange({ [name]: kept.current[name] });
  };
  const error = complaint(unplaced(faults, new Set([chosen.name])));
  return (
    <div className={classes["group"]} data-invalid={error ? true : undefined}>
      <SegmentedControl
        aria-label={`${label}: one of`}
        data={field.properties.map(({ name, field: { title } }) => ({ value: name, label: labelOf(name, title) }))}
        value={chosen.name}
        onChange={choose}
        className={classes["toggle"] ?? ""}
      />
      {error && <Input.Error>{error}</Input.Error>}
      <Properties
        key={chosen.name}
        properties={[{ ...chosen, required: true }]}
        draft={given}
        onChange={onChange}
        faults={faults}
        example={example}
      />
    </div>
  );
}
