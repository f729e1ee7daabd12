import type { Json } from "../api/types.ts";
import { isSchema, resolved, type Schema } from "./resolve.ts";

interface Common {
  readonly title: string | null;
  readonly description: string;
  /** null is allowed, and means that nothing is given. */
  readonly nullable: boolean;
  readonly initial: Json | undefined;
}

export interface Limits {
  readonly min: number | null;
  readonly max: number | null;
}

interface TextLimits {
  readonly maxLength: number | null;
  /** Whether an empty text fits. */
  readonly blank: boolean;
}

/** What a part of a form is, made from a JSON Schema. Whatever the form has no field for, is written as JSON. */
export type Field = Common &
  (
    | ({ readonly kind: "text"; readonly long: boolean; readonly input: TextInput } & TextLimits)
    | ({ readonly kind: "number"; readonly integer: boolean } & Limits)
    | { readonly kind: "boolean" }
    | { readonly kind: "choice"; readonly options: readonly Json[] }
    | ({ readonly kind: "list"; readonly item: Field } & Limits)
    /** open: others than these properties may be given, too. */
    | { readonly kind: "group"; readonly properties: readonly Property[]; readonly open: boolean }
    /** Exactly one of the properties is given. */
    | { readonly kind: "either"; readonly properties: readonly Property[] }
    /** A file in the input itself, as a data URL. uploadable: or uploaded before, and named. */
    | { readonly kind: "file"; readonly drawable: boolean; readonly uploadable: boolean }
    | { readonly kind: "json" }
  );

export interface Property {
  readonly name: string;
  readonly required: boolean;
  readonly field: Field;
}

export type TextInput = "text" | "email" | "url" | "date" | "datetime-local" | "time" | "password";
export type FieldOf<Kind extends Field["kind"]> = Extract<Field, { readonly kind: Kind }>;

// A text that may be longer than this gets several lines.
const ONE_LINE = 250;
// A list longer than this is no form any more.
const MOST_OPTIONS = 500;
// Schemas can contain themselves: deeper than this, JSON is easier to write anyway.
const DEEPEST = 6;
const DRAWABLE = /\b(draw\w*|handwrit\w*|digit)\b/i;
// `date-time` is left out: what a browser's field for it gives has no time zone, which the format needs.
const INPUTS: Readonly<Record<string, TextInput>> = {
  email: "email",
  uri: "url",
  date: "date",
  password: "password",
};

export function fieldOf(schema: unknown, root: Schema, depth = 0): Field {
  const found = resolved(schema, root);
  if (found === null) return jsonField({});
  const { own, nullable } = withoutNull(unwrapped(found, root), root);
  const common = { ...about(own), ...initialOf(own), nullable };
  if (own["const"] !== undefined) return { ...common, kind: "choice", options: [own["const"] as Json] };
  if (Array.isArray(own["enum"])) return choice(common, own["enum"]);
  const file = fileOf(own, root);
  if (file) return { ...common, kind: "file", drawable: DRAWABLE.test(common.description), ...file };
  if (depth > DEEPEST || COMBINING.some((keyword) => own[keyword] !== undefined && !isEither(own))) {
    return { ...common, kind: "json" };
  }
  switch (own["type"]) {
    case "string":
      return text(common, own);
    case "number":
    case "integer":
      return { ...common, kind: "number", integer: own["type"] === "integer", ...limits(own, "minimum", "maximum") };
    case "boolean":
      return nullable ? { ...common, kind: "choice", options: [true, false] } : { ...common, kind: "boolean" };
    case "array":
      return list(common, own, root, depth);
    case "object":
      return object(common, own, root, depth);
    default:
      return { ...common, kind: "json" };
  }
}

const COMBINING = ["anyOf", "oneOf", "allOf", "not", "if", "$dynamicRef"] as const;

function jsonField(schema: Schema): Field {
  return { ...about(schema), initial: undefined, nullable: false, kind: "json" };
}

function about(schema: Schema): Pick<Common, "title" | "description"> {
  const { title, description } = schema;
  return {
    title: typeof title === "string" && title ? title : null,
    description: typeof description === "string" ? description : "",
  };
}

function initialOf(schema: Schema): Pick<Common, "initial"> {
  return { initial: schema["default"] as Json | undefined };
}

/** `allOf` with one schema in it is how some generators say "this, with another title". */
function unwrapped(schema: Schema, root: Schema): Schema {
  const { allOf, ...rest } = schema;
  const only = Array.isArray(allOf) && allOf.length === 1 ? resolved(allOf[0], root) : null;
  return only ? { ...only, ...rest } : schema;
}

/** Of "this or null", the this. Of several types, JSON is left. */
function withoutNull(schema: Schema, root: Schema): { readonly own: Schema; readonly nullable: boolean } {
  const { type } = schema;
  if (Array.isArray(type)) {
    const others = type.filter((one) => one !== "null");
    const own = { ...schema, type: others.length === 1 ? others[0] : undefined };
    return { own, nullable: others.length < type.length };
  }
  for (const keyword of ["anyOf", "oneOf"] as const) {
    const { [keyword]: options, ...rest } = schema;
    if (!Array.isArray(options) || isEither(schema)) continue;
    const all = options.map((option) => resolved(option, root));
    const others = all.filter((option) => option?.["type"] !== "null");
    const [only] = others;
    if (others.length === 1 && only) return { own: { ...only, ...rest }, nullable: all.length > 1 };
    return { own: schema, nullable: others.length < all.length };
  }
  return { own: schema, nullable: false };
}

function text(common: Common, schema: Schema): Field {
  const { format, contentEncoding } = schema;
  if (contentEncoding !== undefined) return { ...common, kind: "json" };
  const maxLength = whole(schema["maxLength"]);
  const input = (typeof format === "string" && Object.hasOwn(INPUTS, format) && INPUTS[format]) || "text";
  return {
    ...common,
    kind: "text",
    input,
    maxLength,
    blank: !format && !(whole(schema["minLength"]) ?? 0) && schema["pattern"] === undefined,
    long: input === "text" && !format && (maxLength ?? ONE_LINE + 1) > ONE_LINE,
  };
}

function choice(common: Common, options: readonly unknown[]): Field {
  if (options.length === 0 || options.length > MOST_OPTIONS) return { ...common, kind: "json" };
  const nullable = common.nullable || options.includes(null);
  return { ...common, nullable, kind: "choice", options: options.filter((option) => option !== null) as Json[] };
}

function list(common: Common, schema: Schema, root: Schema, depth: number): Field {
  if (!isSchema(schema["items"]) || schema["prefixItems"] !== undefined) return { ...common, kind: "json" };
  const item = fieldOf(schema["items"], root, depth + 1);
  // A table of numbers, or what has to be written as JSON anyway, is written so as a whole.
  if (item.kind === "list" || item.kind === "json") return { ...common, kind: "json" };
  return { ...common, kind: "list", item, ...limits(schema, "minItems", "maxItems") };
}

function object(common: Common, schema: Schema, root: Schema, depth: number): Field {
  const parts = schema["properties"];
  if (!isSchema(parts) || Object.keys(parts).length === 0) return { ...common, kind: "json" };
  // Names that are not known beforehand have no field: without JSON, they could not be given.
  if (isSchema(schema["additionalProperties"])) return { ...common, kind: "json" };
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  const properties = Object.entries(parts).map(([name, part]) => ({
    name,
    required: required.has(name),
    field: fieldOf(part, root, depth + 1),
  }));
  if (isEither(schema)) return { ...common, kind: "either", properties };
  const open = schema["additionalProperties"] !== false && schema["unevaluatedProperties"] !== false;
  return { ...common, kind: "group", properties, open };
}

/** "Exactly one of these": `oneOf` with nothing but the name of one property in each, and all properties named so. */
function isEither(schema: Schema): boolean {
  const { oneOf, properties } = schema;
  if (!Array.isArray(oneOf) || oneOf.length < 2 || !isSchema(properties)) return false;
  const names = oneOf.map((option) =>
    isSchema(option) && Object.keys(option).length === 1 ? option["required"] : null,
  );
  const single = names.flatMap((name) => (Array.isArray(name) && name.length === 1 ? name : []));
  const all = Object.keys(properties);
  return (
    single.length === oneOf.length && all.length === new Set(single).size && single.every((name) => all.includes(name))
  );
}

/**
 * What the form of a file allows: an object with `data`, one with `data` and `upload`, of which one is given, or a choice
 * between an object with the one and an object with the other. null: it is no file.
 */
function fileOf(schema: Schema, root: Schema): { readonly uploadable: boolean } | null {
  const options = [schema["anyOf"], schema["oneOf"]].find(Array.isArray) ?? [];
  const objects = isSchema(schema["properties"]) ? [schema] : options.map((option) => resolved(option, root));
  const parts = objects.map((option) => (isSchema(option?.["properties"]) ? option["properties"] : null));
  const named = (part: Schema | null) => part !== null && resolved(part["upload"], root)?.["type"] === "string";
  const inline = (part: Schema | null) => resolved(part?.["data"], root)?.["format"] === "data-url";
  const isNull = (place: number) => objects[place]?.["type"] === "null";
  if (!parts.some(inline) || !parts.every((part, place) => inline(part) || named(part) || isNull(place))) return null;
  return { uploadable: parts.some(named) };
}

function limits(schema: Schema, least: string, most: string): Limits {
  return { min: finite(schema[least]), max: finite(schema[most]) };
}

function finite(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function whole(value: unknown): number | null {
  return Number.isInteger(value) ? (value as number) : null;
}
