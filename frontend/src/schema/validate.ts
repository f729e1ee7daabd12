import { type OutputUnit, type Schema as Validated, Validator } from "@cfworker/json-schema";
import type { Fault, Json } from "../api/types.ts";
import { below, token } from "./pointer.ts";
import { isSchema, lookUp, type Schema } from "./resolve.ts";

/** Says where a value does not fit. The API has the last word: what this cannot check, is left to it. */
export function validatorOf(schema: Schema): (value: Json) => readonly Fault[] {
  let validator: Validator;
  try {
    // A copy, because it writes into what it is given. One that interprets: the page may not compile code (its CSP).
    validator = new Validator(withoutFormats(schema) as Validated, "2020-12", false);
  } catch {
    return () => [];
  }
  return (value) => {
    try {
      return faultsOf(validator.validate(value).errors, schema);
    } catch {
      return []; // a regular expression of another dialect, for one
    }
  };
}

/** The API does not check formats. Names of properties stay, and so does what is compared as it stands. */
function withoutFormats(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withoutFormats);
  if (!isSchema(part)) return part;
  return Object.fromEntries(
    Object.entries(part)
      .filter(([name, value]) => name !== "format" || typeof value !== "string")
      .map(([name, value]) => [name, LITERAL.has(name) ? structuredClone(value) : withoutFormats(value)]),
  );
}

const LITERAL: ReadonlySet<string> = new Set(["const", "enum", "default", "example", "examples"]);

// They only say that something below them does not fit, which is said by itself.
const ENCLOSING: ReadonlySet<string> = new Set([
  "$ref",
  "properties",
  "items",
  "prefixItems",
  "allOf",
  "if",
  "dependentSchemas",
]);
const COMBINING: ReadonlySet<string> = new Set(["anyOf", "oneOf"]);

function faultsOf(errors: readonly OutputUnit[], schema: Schema): Fault[] {
  const combined = errors.filter((error) => COMBINING.has(error.keyword));
  const told = errors.filter((error) => !ENCLOSING.has(error.keyword) && !combined.some((one) => isBranch(error, one)));
  const found = told.map((error) => ({ keyword: error.keyword, fault: faultOf(error, schema) }));
  const first = new Map<string, Fault>();
  for (const { keyword, fault } of found) {
    // Of items that are all wanting, it helps nobody that they are also the same.
    const idle = keyword === "uniqueItems" && found.some((other) => other.fault.path.startsWith(`${fault.path}/`));
    if (!idle && !first.has(fault.path)) first.set(fault.path, fault);
  }
  return [...first.values()];
}

/** What a branch has against the very value that several branches are offered: each has something else, which confuses. */
function isBranch(error: OutputUnit, combining: OutputUnit): boolean {
  const within = below(error.keywordLocation, combining.keywordLocation);
  return within !== null && within !== "" && error.instanceLocation === combining.instanceLocation;
}

function faultOf({ keyword, keywordLocation, instanceLocation, error }: OutputUnit, schema: Schema): Fault {
  const path = decodeURIComponent(instanceLocation.slice(1));
  const limit = valueAt(schema, keywordLocation);
  if (keyword === "required") {
    const name = /"(.*)"/s.exec(error)?.[1];
    return name === undefined ? { path, message: error } : { path: path + token(name), message: "This is needed." };
  }
  return { path, message: wording(keyword, limit) ?? error };
}

function wording(keyword: string, limit: unknown): string | undefined {
  switch (keyword) {
    case "minLength":
      return limit === 1 ? "This is needed." : `At least ${limit} characters.`;
    case "maxLength":
      return `At most ${limit} characters.`;
    case "minItems":
      return `At least ${limit}.`;
    case "maxItems":
      return `At most ${limit}.`;
    case "minimum":
      return `At least ${limit}.`;
    case "maximum":
      return `At most ${limit}.`;
    case "exclusiveMinimum":
      return `More than ${limit}.`;
    case "exclusiveMaximum":
      return `Less than ${limit}.`;
    case "multipleOf":
      return `A multiple of ${limit}.`;
    case "uniqueItems":
      return "No two of them may be the same.";
    case "pattern":
      return limit === "\\S" ? "Not only spaces." : `It has to match ${limit}.`;
    case "anyOf":
    case "oneOf":
      return "It fits none of the forms that it may have.";
    case "type":
      return `It has to be of the type ${[limit].flat().join(" or ")}.`;
    default:
      return undefined;
  }
}

/** location: as the validator names it, through references: "#/properties/image/$ref/required". */
function valueAt(schema: Schema, location: string): unknown {
  let place: unknown = schema;
  for (const name of location.split("/").slice(1)) {
    if (!isSchema(place) && !Array.isArray(place)) return undefined;
    const next = (place as Record<string, unknown>)[
      decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~")
    ];
    place = name === "$ref" && typeof next === "string" ? lookUp(schema, next.slice(1)) : next;
  }
  return place;
}
