import { reached, request } from "../api/transport.ts";

export interface Fetched {
  readonly bytes: number;
  /** null: the API does not say. */
  readonly total: number | null;
}

/** A body of any size, with the key. Throws ApiProblem or Unreachable; what `signal` has ended, is thrown as it is. */
export async function fetchFile(url: string, onPart: (fetched: Fetched) => void, signal: AbortSignal): Promise<Blob> {
  const response = await request(url, {}, signal);
  // Of a compressed body, it would be the length before it is unpacked.
  const total = response.headers.has("Content-Encoding") ? null : lengthOf(response.headers.get("Content-Length"));
  const counted = async () => {
    const parts: BlobPart[] = [];
    let bytes = 0;
    const reader = response.body?.getReader();
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) break;
      parts.push(value as Uint8Array<ArrayBuffer>);
      bytes += value.length;
      onPart({ bytes, total });
    }
    return new Blob(parts, { type: response.headers.get("Content-Type") ?? "application/json" });
  };
  return reached(counted(), signal);
}

/** Bytes; null where the API does not say. Only the first one is fetched. */
export async function fetchSize(url: string, signal: AbortSignal): Promise<number | null> {
  const response = await request(url, { headers: { Range: "bytes=0-0" } }, signal);
  await response.body?.cancel();
  const whole = /\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1] ?? null;
  return response.status === 206 ? lengthOf(whole) : lengthOf(response.headers.get("Content-Length"));
}

function lengthOf(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
