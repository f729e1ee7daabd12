import type { Fault } from "../api/types.ts";
import type { Draft } from "../schema/draft.ts";
import type { Field } from "../schema/field.ts";
import { tokens } from "../schema/pointer.ts";

/** What every field is given. Paths of faults are relative to it. */
export interface FieldProps<F extends Field = Field> {
  readonly field: F;
  readonly label: string;
  readonly required: boolean;
  readonly draft: Draft;
  readonly onChange: (draft: Draft) => void;
  readonly faults: readonly Fault[];
  /** In a list the place says what it is: the label is there for those who cannot see it. */
  readonly inList?: boolean;
  /** Of the model's example: shown where nothing is given yet. */
  readonly example?: unknown;
}

/** All that is wrong in a field that shows its parts as one; undefined: nothing. */
export function complaint(faults: readonly Fault[]): string | undefined {
  return faults.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join("\n") || undefined;
}

/** What is wrong with a whole, and not with one of the parts that are shown. */
export function unplaced(faults: readonly Fault[], parts: ReadonlySet<string>): readonly Fault[] {
  return faults.filter(({ path }) => path === "" || !parts.has(tokens(path)[0] ?? ""));
}

/** What is wrong within one part. */
export function within(faults: readonly Fault[], part: string): readonly Fault[] {
  return faults.flatMap(({ path, message }) => {
    const [first, ...rest] = path === "" ? [] : path.split("/").slice(1);
    return first !== undefined && tokens(`/${first}`)[0] === part
      ? [{ path: rest.map((one) => `/${one}`).join(""), message }]
      : [];
  });
}

export function labelOf(name: string, title: string | null): string {
  return title ?? name;
}

export function named(label: string, inList = false): { readonly label: string } | { readonly "aria-label": string } {
  return inList ? { "aria-label": label } : { label };
}
