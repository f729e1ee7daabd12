type Vector = readonly number[];

export function norm(vector: Vector): number {
  return Math.sqrt(dot(vector, vector));
}

/** 0 where one of them has no direction. */
export function cosine(one: Vector, other: Vector): number {
  const lengths = norm(one) * norm(other);
  return lengths === 0 ? 0 : dot(one, other) / lengths;
}

function dot(one: Vector, other: Vector): number {
  return one.reduce((sum, number, place) => sum + number * (other[place] ?? 0), 0);
}
