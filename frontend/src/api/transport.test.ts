import { beforeEach, expect, test, vi } from "vitest";
import { Unreachable } from "./failures.ts";
import { reached, request } from "./transport.ts";

const encoder = new TextEncoder();
let body: ReadableStreamDefaultController<Uint8Array>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.stubGlobal("fetch", async (asked: Request) => {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        body = controller;
        asked.signal.addEventListener("abort", () => controller.error(asked.signal.reason));
      },
    });
    return new Response(stream);
  });
});

test("a body that goes on arriving may take as long as it takes", async () => {
  const text = (await request("/v1/anything")).text();

  for (let part = 0; part < 6; part++) {
    body.enqueue(encoder.encode("x"));
    await vi.advanceTimersByTimeAsync(10_000);
  }
  body.close();

  expect(await text).toBe("xxxxxx");
});

test("a body that stops is given up", async () => {
  const text = reached((await request("/v1/anything")).text());
  const refused = expect(text).rejects.toBeInstanceOf(Unreachable);
  body.enqueue(encoder.encode("x"));

  await vi.advanceTimersByTimeAsync(16_000);

  await refused;
});
