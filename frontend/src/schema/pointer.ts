// JSON Pointers (RFC 6901), as the API and the validator name places.

/** "/labels/0" -> ["labels", "0"] */
export function tokens(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function token(name: string | number): string {
  return `/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** The rest of a pointer below another; null: it does not lead there. */
export function below(pointer: string, above: string): string | null {
  if (pointer === above) return "";
  return pointer.startsWith(`${above}/`) ? pointer.slice(above.length) : null;
}
