import type { Fault, Json } from "../api/types.ts";
import type { Field, FieldOf } from "./field.ts";
import { token } from "./pointer.ts";

/** What stands in a field and is no value yet: half a number, broken JSON. */
export class Unfit {
  readonly text: string;
  readonly reason: string;

  constructor(text: string, reason: string) {
    this.text = text;
    this.reason = reason;
  }
}

/** An input that is being written. undefined: nothing is given. */
export type Draft =
  | undefined
  | null
  | boolean
  | number
  | string
  | Unfit
  | readonly Draft[]
  | { readonly [name: string]: Draft };

export const MISSING = "This is needed.";

const MOST_EMPTY_ITEMS = 5;

/** What a form shows before anybody has written in it. */
export function emptyDraft(field: Field, required = true): Draft {
  if (field.initial !== undefined && field.initial !== null) return field.initial;
  if (!required || field.nullable) return undefined;
  switch (field.kind) {
    case "group":
      return Object.fromEntries(field.properties.map((one) => [one.name, emptyDraft(one.field, one.required)]));
    case "either":
      return { [field.properties[0]?.name ?? ""]: undefined };
    case "list":
      return Array.from({ length: Math.min(field.min ?? 0, MOST_EMPTY_ITEMS) }, () => emptyDraft(field.item));
    case "boolean":
      return false;
    case "choice":
      return field.options.length === 1 ? field.options[0] : undefined;
    case "text":
    case "number":
    case "file":
    case "json":
      return undefined;
  }
}

export interface Read {
  /** undefined: left out. */
  readonly value: Json | undefined;
  /** What the draft itself is lacking; whether the value fits the schema, is another question. */
  readonly faults: readonly Fault[];
}

/** The input that a draft stands for. */
export function read(field: Field, draft: Draft, required: boolean, path = ""): Read {
  if (draft instanceof Unfit) return { value: undefined, faults: [{ path, message: draft.reason }] };
  if (isEmpty(field, draft)) return empty(field, required, path);
  switch (field.kind) {
    case "list":
      return Array.isArray(draft) ? readList(field, draft, path) : { value: draft as Json, faults: [] };
    case "group":
    case "either":
      return isGroup(draft) ? readGroup(field, draft, path) : { value: draft as Json, faults: [] };
    default:
      return { value: draft as Json, faults: [] };
  }
}

export function isGroup(draft: Draft): draft is { readonly [name: string]: Draft } {
  return typeof draft === "object" && draft !== null && !Array.isArray(draft) && !(draft instanceof Unfit);
}

function isEmpty(field: Field, draft: Draft): boolean {
  if (draft === undefined) return true;
  return (
    (field.kind === "text" && draft === "") || (field.kind === "list" && Array.isArray(draft) && draft.length === 0)
  );
}

/** An empty text and an empty list are values, where one has to be given: whether they fit, the schema says. */
function empty(field: Field, required: boolean, path: string): Read {
  if (!required) return { value: cleared(field), faults: [] };
  if (field.nullable) return { value: null, faults: [] };
  if (field.kind === "text") return { value: "", faults: [] };
  if (field.kind === "list") return { value: [], faults: [] };
  return { value: undefined, faults: [{ path, message: MISSING }] };
}

/** Left out, the default would be taken, which somebody has cleared: so what is empty is sent, if anything can say so. */
function cleared(field: Field): Json | undefined {
  const { initial } = field;
  if (initial === undefined || initial === null || isEmpty(field, initial)) return undefined;
  if (field.nullable) return null;
  if (field.kind === "text" && field.blank) return "";
  return field.kind === "list" && !field.min ? [] : undefined;
}

function readList(field: FieldOf<"list">, draft: readonly Draft[], path: string): Read {
  const items = draft.map((item, index) => read(field.item, item, true, path + token(index)));
  // null in the place of what is missing, so that the items after it keep their numbers.
  return { value: items.map((item) => item.value ?? null), faults: items.flatMap((item) => item.faults) };
}

/** What an input that is used again has besides the fields. */
function others(field: FieldOf<"group" | "either">, draft: { readonly [name: string]: Draft }): [string, Json][] {
  if (field.kind === "either" || !field.open) return [];
  const known = new Set(field.properties.map(({ name }) => name));
  return (Object.entries(draft) as [string, Json][]).filter(([name]) => !known.has(name));
}

function readGroup(field: FieldOf<"group" | "either">, draft: { readonly [name: string]: Draft }, path: string): Read {
  const chosen =
    field.kind === "either" ? field.properties.filter(({ name }) => Object.hasOwn(draft, name)) : field.properties;
  const parts = chosen.flatMap(({ name, required, field: part }) => {
    const needed = required || field.kind === "either";
    // What an input that is used again does not have, nobody has cleared.
    if (!needed && !Object.hasOwn(draft, name)) return [];
    return [{ name, ...read(part, draft[name], needed, path + token(name)) }];
  });
  const given = parts.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]));
  return {
    value: Object.fromEntries([...others(field, draft), ...given]),
    faults: parts.flatMap((part) => part.faults),
  };
}
