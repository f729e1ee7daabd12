const BYTES = 16;

/** Nobody has had it before. `randomUUID` is there only where the page came over https, or from this machine. */
export function uniqueName(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
