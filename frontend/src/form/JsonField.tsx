import { Textarea } from "@mantine/core";
import { useState } from "react";
import type { Json } from "../api/types.ts";
import { Unfit } from "../schema/draft.ts";
import type { FieldOf } from "../schema/field.ts";
import { shortJson } from "../shortJson.ts";
import { GridPreview, gridOf } from "./GridPreview.tsx";
import { complaint, type FieldProps } from "./props.ts";

const ROWS = { minRows: 3, maxRows: 16, autosize: true } as const;

/** Whatever has no field of its own is written as JSON. */
export function JsonField({ field, label, required, draft, onChange, faults, example }: FieldProps<FieldOf<"json">>) {
  // The text is kept as it was written: spaces, line breaks and mistakes.
  const [text, setText] = useState(() => textOf(draft));
  const grid = gridOf(draft);
  const change = (written: string) => {
    setText(written);
    onChange(parsed(written));
  };
  return (
    <>
      <Textarea
        label={label}
        description={[field.description, "Written as JSON."].filter(Boolean).join(" ")}
        withAsterisk={required}
        required={required}
        error={complaint(faults)}
        value={text}
        placeholder={example === undefined ? undefined : shortJson(example as Json)}
        onChange={(event) => change(event.currentTarget.value)}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
        {...ROWS}
      />
      {grid && <GridPreview grid={grid} />}
    </>
  );
}

function textOf(draft: unknown): string {
  if (draft instanceof Unfit) return draft.text;
  return draft === undefined ? "" : shortJson(draft as Json);
}

function parsed(text: string): Json | Unfit | undefined {
  if (text.trim() === "") return undefined;
  const changed: string[] = [];
  try {
    const value = JSON.parse(text, (_, part: unknown, context?: { readonly source?: string }) => {
      if (typeof part === "number" && !isExact(part, context?.source)) changed.push(context?.source ?? String(part));
      return part;
    }) as Json;
    if (changed.length === 0) return value;
  } catch (error) {
    return new Unfit(text, `This is not JSON: ${error instanceof Error ? error.message : "it cannot be read"}.`);
  }
  return new Unfit(text, `This number is too large to be sent as it is written: ${changed[0]}.`);
}

/** source: as it is written; a browser that does not tell lets large integers through. */
function isExact(number: number, source = ""): boolean {
  return Number.isFinite(number) && (!/^-?\d+$/.test(source) || BigInt(source) === BigInt(number));
}
