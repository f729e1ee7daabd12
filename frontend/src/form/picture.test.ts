import { beforeEach, expect, test, vi } from "vitest";
import { dataUrlOf } from "./picture.ts";

const LARGE = new Uint8Array(2_000_000);

beforeEach(() => {
  vi.stubGlobal("createImageBitmap", async () => ({ width: 4000, height: 2000, close: () => undefined }));
});

/** What the canvas makes of it, by the type that it is asked for. Returns the types that were. */
function encodes(made: Readonly<Record<string, Blob>>): string[] {
  const asked: string[] = [];
  vi.spyOn(HTMLCanvasElement.prototype, "toBlob").mockImplementation((done, type = "") => {
    asked.push(type);
    done(made[type] ?? null);
  });
  return asked;
}

test("a small file is sent as it is", async () => {
  expect(await dataUrlOf(new File(["hello"], "a.txt", { type: "text/plain" }))).toBe("data:text/plain;base64,aGVsbG8=");
});

test("a large picture that may be transparent stays so", async () => {
  const asked = encodes({ "image/webp": new Blob(["w"], { type: "image/webp" }) });

  expect(await dataUrlOf(new File([LARGE], "a.png", { type: "image/png" }))).toMatch(/^data:image\/webp;/);
  expect(asked).toEqual(["image/webp"]);
});

test("a photograph stays a JPEG", async () => {
  const asked = encodes({ "image/jpeg": new Blob(["j"], { type: "image/jpeg" }) });

  expect(await dataUrlOf(new File([LARGE], "a.jpg", { type: "image/jpeg" }))).toMatch(/^data:image\/jpeg;/);
  expect(asked).toEqual(["image/jpeg"]);
});

test("where a browser without WebP makes a PNG that is too large, it is a JPEG", async () => {
  const png = new Blob([LARGE], { type: "image/png" });
  encodes({ "image/webp": png, "image/jpeg": new Blob(["j"], { type: "image/jpeg" }) });

  expect(await dataUrlOf(new File([LARGE], "a.png", { type: "image/png" }))).toMatch(/^data:image\/jpeg;/);
});
