import { tokens } from "./pointer.ts";

/** A JSON Schema. It comes from whoever wrote the model: each keyword is looked at before it is believed. */
export type Schema = Readonly<Record<string, unknown>>;

export function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The schema that a reference leads to, within the same document. What stands beside the reference (a title, say) goes
 * before what it leads to. null: it leads nowhere, out of the document, or in a circle.
 */
export function resolved(schema: unknown, root: Schema): Schema | null {
  const seen = new Set<string>();
  let own: unknown = schema;
  while (isSchema(own)) {
    const { $ref, ...rest } = own;
    if ($ref === undefined) return own;
    if (typeof $ref !== "string" || !$ref.startsWith("#") || seen.has($ref)) return null;
    seen.add($ref);
    const target = lookUp(root, $ref.slice(1));
    if (!isSchema(target)) return null;
    own = { ...target, ...rest };
  }
  return null;
}

export function lookUp(root: unknown, pointer: string): unknown {
  const decoded = decodedOf(pointer);
  if (decoded === null) return undefined;
  let place: unknown = root;
  for (const name of tokens(decoded)) {
    if (typeof place !== "object" || place === null || !Object.hasOwn(place, name)) return undefined;
    place = (place as Record<string, unknown>)[name];
  }
  return place;
}

/** null: a percent sign with something else than two digits behind it. */
function decodedOf(pointer: string): string | null {
  try {
    return decodeURIComponent(pointer);
  } catch {
    return null;
  }
}
