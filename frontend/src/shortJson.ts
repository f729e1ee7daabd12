import type { Json } from "./api/types.ts";

const LONGEST_LINE = 80;

/** Indented JSON, with short lists and objects on one line: a table of numbers keeps its rows. */
export function shortJson(value: Json, indent = ""): string {
  const line = JSON.stringify(value, null, 1)?.replace(/\n\s*/g, " ") ?? "";
  if (typeof value !== "object" || value === null || (line.length <= LONGEST_LINE && depth(value) < 2))
    return tight(line);
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map((one) => inner + shortJson(one, inner)).join(",\n")}\n${indent}]`;
  }
  const entries = Object.entries(value).map(
    ([name, one]) => `${inner}${JSON.stringify(name)}: ${shortJson(one, inner)}`,
  );
  return entries.length === 0 ? "{}" : `{\n${entries.join(",\n")}\n${indent}}`;
}

/** How deep lists and objects stand in each other; 2 is enough to know. */
function depth(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + (Object.values(value).some((one) => typeof one === "object" && one !== null) ? 1 : 0);
}

function tight(line: string): string {
  return line.startsWith("[ ") ? `[${line.slice(2, -2)}]` : line;
}
