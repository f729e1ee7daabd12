import type { Json } from "../api/types.ts";

export interface Score {
  readonly label: string;
  readonly score: number;
}

/** What a result is to look at. Known by its form, not by the model: another model with such a result is shown as well. */
export type Shape =
  | { readonly kind: "scores"; readonly headline: string; readonly scores: readonly Score[] }
  | { readonly kind: "vectors"; readonly vectors: readonly (readonly number[])[] }
  | { readonly kind: "json" };

const MOST_BARS = 60;
const LEAST_DIMENSIONS = 8;

export function shapeOf(result: unknown): Shape {
  const scores = scoresOf(field(result, "scores") ?? result) ?? probabilitiesOf(field(result, "probabilities"));
  if (scores !== null) return { kind: "scores", headline: headlineOf(result, scores), scores };
  const vectors = vectorsOf(field(result, "embeddings") ?? result);
  return vectors ? { kind: "vectors", vectors } : { kind: "json" };
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function scoresOf(value: unknown): readonly Score[] | null {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_BARS) return null;
  return value.every(isScore) ? value : null;
}

function isScore(value: unknown): value is Score {
  return typeof field(value, "label") === "string" && isShare(field(value, "score"));
}

/** Shares without names are those of 0, 1, 2, … */
function probabilitiesOf(value: unknown): readonly Score[] | null {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_BARS || !value.every(isShare)) return null;
  return value.map((score: number, place) => ({ label: String(place), score }));
}

function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function headlineOf(result: unknown, scores: readonly Score[]): string {
  const named = field(result, "label") ?? field(result, "digit");
  const best = scores.reduce((most, one) => (one.score > most.score ? one : most));
  return typeof named === "string" || typeof named === "number" ? String(named) : best.label;
}

function vectorsOf(value: unknown): readonly (readonly number[])[] | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  const dimensions = Array.isArray(value[0]) ? value[0].length : 0;
  const isVector = (one: unknown) =>
    Array.isArray(one) && one.length === dimensions && one.every((number) => typeof number === "number");
  return dimensions >= LEAST_DIMENSIONS && value.every(isVector) ? (value as Json[] as unknown as number[][]) : null;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.001 ? 2 : 1)} %`;
}
