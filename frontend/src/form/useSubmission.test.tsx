import { act, fireEvent, screen } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import type { Job } from "../api/types.ts";
import { type Asked, JOB, json, MODEL, problem, serve } from "../testing/api.ts";
import { show } from "../testing/render.tsx";
import { ModelForm } from "./ModelForm.tsx";

const noNetwork = () => Promise.reject(new TypeError("Failed to fetch"));
const badGateway = () => new Response("<html>Bad gateway</html>", { status: 502 });
const stored = () => json(JOB, { status: 202 });

const submitted = vi.fn<(job: Job) => void>();

beforeEach(() => {
  submitted.mockReset();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
});

/** Answers one after another; the last one again and again. */
function answers(...all: (() => Response | Promise<Response>)[]): Asked[] {
  const left = [...all];
  const asked = serve(() => (left.length > 1 ? left.shift() : left[0])?.() ?? stored());
  show(<ModelForm model={MODEL} input={{ value: { text: "abc" } }} onSubmitted={submitted} />);
  return asked;
}

async function press() {
  fireEvent.click(screen.getByRole("button", { name: "Submit" }));
  await pass(1000);
}

async function pass(milliseconds: number) {
  await act(() => vi.advanceTimersByTimeAsync(milliseconds));
}

function keysOf(asked: readonly Asked[]): (string | null)[] {
  return asked.map(({ headers }) => headers.get("Idempotency-Key"));
}

test("a submission whose answer is lost is repeated with its key, and stored once", async () => {
  const asked = answers(noNetwork, badGateway, stored);

  await press();
  expect(screen.getByText(/stored once however often/)).toBeVisible();
  await pass(10_000);

  expect(submitted).toHaveBeenCalledTimes(1);
  const keys = keysOf(asked);
  expect(keys).toHaveLength(3);
  expect(keys[0]).toMatch(/^[0-9a-f-]{32,36}$/);
  expect(new Set(keys).size).toBe(1);
});

test("each press has a key of its own", async () => {
  const asked = answers(stored);

  await press();
  await press();

  const keys = keysOf(asked);
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(2);
});

test("a page that came over plain http has keys, too", async () => {
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
  const asked = answers(stored);

  await press();

  expect(keysOf(asked)[0]).toMatch(/^[0-9a-f]{32}$/);
});

test("without any answer it says so in the end, and the same again has the same key", async () => {
  const asked = answers(noNetwork);

  await press();
  await pass(60_000);
  expect(screen.getByRole("alert")).toHaveTextContent("Submit it again: it is stored once");
  const tries = asked.length;
  expect(tries).toBe(6);

  await press();
  expect(asked.length).toBeGreaterThan(tries);
  expect(new Set(keysOf(asked)).size).toBe(1);
});

test("another input after a lost answer is another submission", async () => {
  const asked = answers(noNetwork);
  await press();
  await pass(60_000);

  fireEvent.change(screen.getByRole("textbox", { name: "Text" }), { target: { value: "abcd" } });
  await press();

  expect(new Set(keysOf(asked)).size).toBe(2);
});

test("a first one that is still being stored is waited for", async () => {
  const asked = answers(
    () => problem(409, { title: "Still being stored", code: "idempotency_key_in_use" }, { "Retry-After": "1" }),
    stored,
  );

  await press();
  await pass(2000);

  expect(asked).toHaveLength(2);
  expect(submitted).toHaveBeenCalledTimes(1);
});

test.each([429, 503])("how long a refusal (%i) lasts is counted down, and nothing is sent before", async (status) => {
  const asked = answers(
    () => problem(status, { title: "Too many", code: "too_many", detail: "Wait." }, { "Retry-After": "12" }),
    stored,
  );

  await press();
  expect(screen.getByRole("alert")).toHaveTextContent("Too manyWait.");
  expect(screen.getByRole("timer")).toHaveTextContent(/again in 1[12] s/);
  await pass(5000);
  expect(screen.getByRole("timer")).toHaveTextContent(/again in [67] s/);
  await press();
  expect(asked).toHaveLength(1);

  await pass(10_000);
  expect(screen.getByRole("timer")).toHaveTextContent("again now");
  await press();
  expect(submitted).toHaveBeenCalledTimes(1);
  expect(screen.queryByRole("timer")).toBeNull();
});

test("the alert is there before it has anything to say", () => {
  answers(stored);

  expect(screen.getByRole("alert")).toBeEmptyDOMElement();
});
