import { Button, Fieldset, Input } from "@mantine/core";
import { emptyDraft, isGroup } from "../schema/draft.ts";
import type { FieldOf } from "../schema/field.ts";
import classes from "./GroupField.module.css";
import { Properties } from "./Properties.tsx";
import { complaint, type FieldProps, unplaced } from "./props.ts";

/** An object within another one. One that need not be given is opened first. */
export function GroupField(props: FieldProps<FieldOf<"group">>) {
  const { field, label, required, draft, onChange, faults } = props;
  const names = new Set(field.properties.map((property) => property.name));
  const error = complaint(unplaced(faults, names));
  const open = isGroup(draft);
  return (
    <Fieldset legend={label} className={classes["group"] ?? ""} data-invalid={error ? true : undefined}>
      {field.description && <Input.Description>{field.description}</Input.Description>}
      {error && <Input.Error>{error}</Input.Error>}
      {open && <Properties {...props} properties={field.properties} draft={draft} />}
      {!(open && required) && (
        <Button
          variant="default"
          size="xs"
          className={classes["toggle"] ?? ""}
          onClick={() => onChange(open ? undefined : emptyDraft({ ...field, initial: undefined, nullable: false }))}
        >
          {open ? "Leave out" : "Fill in"}
        </Button>
      )}
    </Fieldset>
  );
}
