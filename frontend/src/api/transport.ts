import { observeServerTime } from "../clock.ts";
import { authorization, currentAccess, refuseAccess } from "./credentials.ts";
import { ApiProblem, Unreachable } from "./failures.ts";

/** Milliseconds without a sign of life, beyond the time that was asked to wait: then the connection is taken for dead. */
const PATIENCE = 15_000;

// A browser may give these an empty body, with which no answer can be made anew.
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

interface Patient {
  readonly signal: AbortSignal;
  readonly fetch: (request: Request) => Promise<Response>;
}

/**
 * How a request is sent: with the key, and given up once nothing comes any more. A body that is still arriving may
 * take as long as it takes. wait: seconds that the server was asked to wait before it answers.
 */
export function patient(signal?: AbortSignal, wait = 0): Patient {
  const silence = new AbortController();
  const expect = (milliseconds: number) =>
    setTimeout(() => silence.abort(new DOMException("nothing came", "TimeoutError")), milliseconds);
  return {
    signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
    fetch: async (request) => {
      let timer = expect(wait * 1000 + PATIENCE);
      const alive = () => {
        clearTimeout(timer);
        timer = expect(PATIENCE);
      };
      const { key } = currentAccess();
      const own = request.headers.has("Authorization"); // a key that is being tried
      if (!own) for (const [name, value] of Object.entries(authorization(key))) request.headers.set(name, value);
      try {
        // Looked up at each call, so that a test can put its own in place.
        const response = await globalThis.fetch(request);
        observeServerTime(response.headers.get("Date"));
        if (response.status === 401 && !own) refuseAccess(await problemOf(response.clone()), key);
        if (response.body === null || BODILESS.has(response.status)) {
          clearTimeout(timer);
          return response;
        }
        alive();
        return watched(response, response.body, alive, () => clearTimeout(timer));
      } catch (error) {
        clearTimeout(timer);
        throw error;
      }
    },
  };
}

/** What the document of the API does not describe yet, or is no JSON. Throws ApiProblem or Unreachable. */
export async function request(
  path: string,
  init: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  signal?: AbortSignal,
): Promise<Response> {
  const asked = patient(signal);
  const made = new Request(new URL(path, window.location.origin), { ...init, signal: asked.signal });
  const response = await reached(asked.fetch(made), signal);
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Throws Unreachable where there is no answer; what `signal` has ended, is thrown as it is. */
export async function reached<T>(answer: Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw signal?.aborted ? error : new Unreachable(error);
  }
}

async function problemOf(response: Response): Promise<ApiProblem> {
  return new ApiProblem(response, await response.json().catch(() => null));
}

/** The same answer, that tells of each part of its body that comes, and of its end. */
function watched(response: Response, body: ReadableStream<Uint8Array>, alive: () => void, end: () => void): Response {
  const reader = body.getReader();
  const parts = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          end();
          controller.close();
        } else {
          alive();
          controller.enqueue(value);
        }
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    cancel(reason) {
      end();
      return reader.cancel(reason);
    },
  });
  return new Response(parts, response);
}
