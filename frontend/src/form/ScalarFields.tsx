import { Checkbox, NumberInput, PasswordInput, Textarea, TextInput } from "@mantine/core";
import { Unfit } from "../schema/draft.ts";
import type { FieldOf, Limits } from "../schema/field.ts";
import { complaint, type FieldProps, named } from "./props.ts";

const MOST_ROWS = 12;

export function TextField({
  field,
  label,
  inList,
  required,
  draft,
  onChange,
  faults,
  example,
}: FieldProps<FieldOf<"text">>) {
  const common = {
    ...named(label, inList),
    description: field.description,
    withAsterisk: required,
    required,
    error: complaint(faults),
    value: typeof draft === "string" ? draft : "",
    placeholder: typeof example === "string" ? example : undefined,
    onChange: (event: { readonly currentTarget: { readonly value: string } }) => onChange(event.currentTarget.value),
  };
  if (field.input === "password") return <PasswordInput {...common} autoComplete="off" />;
  return field.long ? (
    <Textarea {...common} autosize minRows={inList ? 1 : 3} maxRows={MOST_ROWS} />
  ) : (
    <TextInput {...common} type={field.input} />
  );
}

export function NumberField(props: FieldProps<FieldOf<"number">>) {
  const { field, label, inList, required, draft, onChange, faults, example } = props;
  return (
    <NumberInput
      {...named(label, inList)}
      description={[field.description, range(field)].filter(Boolean).join(" ")}
      withAsterisk={required}
      required={required}
      error={complaint(faults)}
      value={draft instanceof Unfit ? draft.text : typeof draft === "number" ? draft : ""}
      placeholder={typeof example === "number" ? String(example) : undefined}
      allowDecimal={!field.integer}
      // Told, not corrected: who writes 300 where 256 is the most, should see that.
      clampBehavior="none"
      {...(field.min === null ? {} : { min: field.min })}
      {...(field.max === null ? {} : { max: field.max })}
      onChange={(value) => onChange(numberOf(value))}
    />
  );
}

function numberOf(value: number | string): number | Unfit | undefined {
  if (value === "") return undefined;
  return typeof value === "number" ? value : new Unfit(value, "This is not a number that can be sent.");
}

function range({ min, max }: Limits): string {
  if (min !== null && max !== null) return `From ${min} to ${max}.`;
  if (min !== null) return `At least ${min}.`;
  return max === null ? "" : `At most ${max}.`;
}

export function BooleanField({ field, label, draft, onChange, faults }: FieldProps<FieldOf<"boolean">>) {
  return (
    <Checkbox
      label={label}
      description={field.description}
      error={complaint(faults)}
      checked={draft === true}
      onChange={(event) => onChange(event.currentTarget.checked)}
    />
  );
}
