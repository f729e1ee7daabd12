import { Checkbox, NativeSelect, PasswordInput, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { type Draft, Unfit } from "../schema/draft.ts";
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
  // What is written stays as it is written: 1.50 is on its way to 1.505.
  const [text, setText] = useState(() => textOf(draft));
  return (
    <TextInput
      {...named(label, inList)}
      description={[field.description, range(field)].filter(Boolean).join(" ")}
      withAsterisk={required}
      required={required}
      error={complaint(faults)}
      value={text}
      placeholder={typeof example === "number" ? String(example) : undefined}
      // A telephone's keys for numbers have no minus.
      inputMode={field.min === null || field.min < 0 ? "text" : "decimal"}
      autoComplete="off"
      onChange={({ currentTarget: { value } }) => {
        setText(value);
        onChange(numberOf(value, field.integer));
      }}
    />
  );
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function textOf(draft: Draft): string {
  if (draft instanceof Unfit) return draft.text;
  return typeof draft === "number" ? String(draft) : "";
}

/** Told, not corrected: who writes 300 where 256 is the most, should see that. */
function numberOf(text: string, integer: boolean): number | Unfit | undefined {
  const written = text.trim();
  if (written === "") return undefined;
  const number = NUMBER.test(written) ? Number(written) : Number.NaN;
  if (!Number.isFinite(number)) return new Unfit(text, "This is not a number that can be sent.");
  // Beyond these, what is sent would not be what is written.
  const exact = !integer || !Number.isInteger(number) || Number.isSafeInteger(number);
  return exact ? number : new Unfit(text, "This number is too large to be sent as it is written.");
}

function range({ min, max }: Limits): string {
  if (min !== null && max !== null) return `From ${min} to ${max}.`;
  if (min !== null) return `At least ${min}.`;
  return max === null ? "" : `At most ${max}.`;
}

export function BooleanField(props: FieldProps<FieldOf<"boolean">>) {
  const { field, label, required, draft, onChange, faults } = props;
  // Where nothing need be said, a box would say "no" from the first click on, without a way back.
  if (!required && typeof field.initial !== "boolean" && !props.inList) return <MaybeField {...props} />;
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

const MAYBE = ["not given", "yes", "no"];

function MaybeField({ field, label, draft, onChange, faults }: FieldProps<FieldOf<"boolean">>) {
  return (
    <NativeSelect
      label={label}
      description={field.description}
      error={complaint(faults)}
      data={MAYBE}
      value={typeof draft === "boolean" ? (draft ? "yes" : "no") : "not given"}
      onChange={({ currentTarget: { value } }) => onChange(value === "not given" ? undefined : value === "yes")}
    />
  );
}
