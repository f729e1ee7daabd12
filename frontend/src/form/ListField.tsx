import { Button, CloseButton, Input, Textarea } from "@mantine/core";
import { useEffect, useId, useRef, useState } from "react";
import { type Draft, emptyDraft } from "../schema/draft.ts";
import type { FieldOf } from "../schema/field.ts";
import { FormField } from "./FormField.tsx";
import classes from "./ListField.module.css";
import { complaint, type FieldProps, unplaced, within } from "./props.ts";

// More fields than this are slow to draw and no help: texts are then written one a line.
const MOST_FIELDS = 40;

export function ListField(props: FieldProps<FieldOf<"list">>) {
  const { field, draft } = props;
  const items = Array.isArray(draft) ? (draft as readonly Draft[]) : [];
  // A field must not turn into another one while somebody writes in it: only what is pasted as a whole may do that.
  const [lines, setLines] = useState<"none" | "given" | "pasted">(() => (isLong(field, items) ? "given" : "none"));
  if (lines !== "none") return <Lines {...props} focused={lines === "pasted"} />;
  const pasted = (next: readonly Draft[]) => {
    const given = next.filter((item) => item !== undefined && item !== "");
    const long = isLong(field, given);
    if (long) setLines("pasted");
    props.onChange(long ? given : next);
  };
  return <Items {...props} items={items} onPaste={pasted} />;
}

function isLong(field: FieldOf<"list">, items: readonly Draft[]): boolean {
  return field.item.kind === "text" && items.length > MOST_FIELDS && items.every(isLine);
}

function isLine(item: Draft): boolean {
  return typeof item === "string" && !item.includes("\n");
}

interface LinesProps extends FieldProps<FieldOf<"list">> {
  /** It takes the place of the field that was written in. */
  readonly focused: boolean;
}

function Lines({ field, label, required, draft, onChange, faults, focused }: LinesProps) {
  const [text, setText] = useState(() => (draft as readonly string[]).join("\n"));
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (focused) box.current?.focus();
  }, [focused]);
  return (
    <Textarea
      ref={box}
      label={label}
      description={[field.description, "One a line."].filter(Boolean).join(" ")}
      withAsterisk={required}
      error={complaint(faults)}
      value={text}
      onChange={({ currentTarget: { value } }) => {
        setText(value);
        onChange(value.split("\n").filter((line) => line.trim() !== ""));
      }}
      autosize
      minRows={4}
      maxRows={16}
    />
  );
}

interface ItemsProps extends FieldProps<FieldOf<"list">> {
  readonly items: readonly Draft[];
  readonly onPaste: (items: readonly Draft[]) => void;
}

function Items({ field, label, required, items, onChange, onPaste, faults, example }: ItemsProps) {
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [keys, renew] = useKeys(items.length);
  const { item } = field;
  const examples = Array.isArray(example) ? example : [];

  const change = (place: number, next: Draft) => onChange(items.with(place, next));
  const add = () => {
    onChange([...items, emptyDraft(item)]);
    requestAnimationFrame(() => focusLast(box.current));
  };
  const remove = (place: number) => {
    renew(place);
    onChange(items.toSpliced(place, 1));
    requestAnimationFrame(() => focusLast(box.current));
  };
  /** A list that is pasted from somewhere else becomes as many items. */
  const paste = (place: number) => (event: React.ClipboardEvent) => {
    const lines = event.clipboardData
      .getData("text/plain")
      .split(/\r?\n/)
      .filter((line) => line.trim() !== "");
    const written = items[place];
    if (item.kind !== "text" || lines.length < 2 || (written !== undefined && written !== "")) return;
    event.preventDefault();
    onPaste(items.toSpliced(place, 1, ...lines));
  };

  const shown = new Set(items.map((_, place) => String(place)));
  const error = complaint(unplaced(faults, shown));
  const full = field.max !== null && items.length >= field.max;
  const singular = item.title ?? "item";
  return (
    <Input.Wrapper
      id={id}
      label={label}
      labelElement="div"
      labelProps={{ id: `${id}-label` }}
      description={field.description}
      withAsterisk={required}
      error={error}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset's legend could not be laid out as the other labels are */}
      <div
        ref={box}
        role="group"
        className={classes["items"]}
        aria-labelledby={`${id}-label`}
        // For the search of the first fault, and for those who cannot see the text beside it.
        data-invalid={error ? true : undefined}
        tabIndex={-1}
      >
        {items.map((draft, place) => (
          <div key={keys[place]} className={classes["item"]} onPaste={paste(place)}>
            <div className={classes["field"]}>
              <FormField
                field={bare(item)}
                label={`${singular} ${place + 1}`}
                inList
                required={false}
                draft={draft}
                onChange={(next) => change(place, next)}
                faults={within(faults, String(place))}
                example={examples[place]}
              />
            </div>
            <CloseButton aria-label={`Remove ${singular} ${place + 1}`} onClick={() => remove(place)} />
          </div>
        ))}
        <Button variant="default" size="xs" onClick={add} disabled={full} className={classes["add"] ?? ""}>
          Add {singular.toLowerCase()}
        </Button>
      </div>
    </Input.Wrapper>
  );
}

/** Its description stands once, above the list. */
function bare<F extends { readonly description: string }>(item: F): F {
  return { ...item, description: "" };
}

function focusLast(box: HTMLElement | null): void {
  const fields = box?.querySelectorAll<HTMLElement>("input, textarea, select, canvas");
  (fields?.item(fields.length - 1) ?? box?.querySelector("button"))?.focus();
}

/** Names for the items that stay theirs when one before them goes. */
function useKeys(length: number): [readonly number[], (removed: number) => void] {
  const keys = useRef<number[]>([]);
  const next = useRef(0);
  while (keys.current.length < length) keys.current.push(next.current++);
  keys.current.length = length;
  return [
    keys.current,
    (removed) => {
      keys.current.splice(removed, 1);
    },
  ];
}
