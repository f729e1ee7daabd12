import { authorization, currentAccess, refuseAccess } from "./credentials.ts";
import { ApiProblem, Unreachable } from "./failures.ts";

/** A file that the API has taken. */
export interface Upload {
  readonly id: string;
  readonly size: number;
  readonly content_type: string;
  readonly sha256: string;
}

/**
 * By XMLHttpRequest, which tells how much has been sent. onProgress: the share, 0 to 1.
 * Throws ApiProblem or Unreachable; what `signal` has ended, is an AbortError.
 */
export function uploadFile(file: File, onProgress: (share: number) => void, signal: AbortSignal): Promise<Upload> {
  const { key } = currentAccess();
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", "/v1/uploads");
    sending.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    for (const [name, value] of Object.entries(authorization(key))) sending.setRequestHeader(name, value);
    sending.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    sending.onload = () => {
      const body = parsed(sending.responseText);
      if (sending.status === 201) return resolve(body as Upload);
      const problem = new ApiProblem(answerOf(sending), body);
      if (sending.status === 401) refuseAccess(problem, key);
      reject(problem);
    };
    sending.onerror = () => reject(new Unreachable("the upload broke off"));
    sending.onabort = () => reject(new DOMException("another file was chosen", "AbortError"));
    signal.addEventListener("abort", () => sending.abort(), { once: true });
    if (signal.aborted) return reject(signal.reason);
    sending.send(file);
  });
}

function answerOf(sending: XMLHttpRequest): Pick<Response, "status" | "headers"> {
  const retry = sending.getResponseHeader("Retry-After");
  return { status: sending.status, headers: new Headers(retry === null ? {} : { "Retry-After": retry }) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
