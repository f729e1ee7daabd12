import { describe, expect, test } from "vitest";
import { fieldOf } from "./field.ts";
import type { Schema } from "./resolve.ts";

function kindOf(schema: unknown, root: Schema = {}): string {
  return fieldOf(schema, root).kind;
}

describe("each kind of schema has its field", () => {
  test.each([
    [{ type: "string" }, "text"],
    [{ type: "number", minimum: 0 }, "number"],
    [{ type: "integer" }, "number"],
    [{ type: "boolean" }, "boolean"],
    [{ type: ["boolean", "null"] }, "choice"],
    [{ enum: ["a", "b"] }, "choice"],
    [{ const: 3 }, "choice"],
    [{ type: "array", items: { type: "string" } }, "list"],
    [{ type: "array", items: { type: "object", properties: { a: { type: "string" } } } }, "list"],
    [{ type: "object", properties: { a: { type: "string" } } }, "group"],
    [{ type: "object", properties: { data: { type: "string", format: "data-url" } } }, "file"],
    [{ anyOf: [{ type: "string" }, { type: "null" }] }, "text"],
    [{ allOf: [{ type: "number" }], title: "N" }, "number"],
  ])("%j: %s", (schema, kind) => {
    expect(kindOf(schema)).toBe(kind);
  });
});

describe("what has no field is written as JSON", () => {
  test.each([
    [{}],
    [true],
    [false],
    ["nonsense"],
    [null],
    [{ type: "object" }],
    [{ type: "object", properties: {} }],
    [{ type: "object", properties: { a: {} }, additionalProperties: { type: "string" } }],
    [{ type: ["string", "number"] }],
    [{ anyOf: [{ type: "string" }, { type: "number" }] }],
    [{ oneOf: [{ type: "string" }, { type: "number" }, { type: "null" }] }],
    [{ type: "array" }],
    [{ type: "array", prefixItems: [{ type: "string" }] }],
    [{ type: "array", items: { type: "array", items: { type: "number" } } }],
    [{ enum: [] }],
    [{ type: "string", if: {}, not: {} }],
    [{ $ref: "https://elsewhere.example/schema" }],
    [{ $ref: "#/$defs/missing" }],
    [{ $ref: "#" }],
    [{ $ref: "#/$defs/100%" }],
    [{ type: "string", contentEncoding: "base64" }],
  ])("%j", (schema) => {
    expect(kindOf(schema)).toBe("json");
  });
});

test("a reference is followed, and what stands beside it goes before it", () => {
  const root = { $defs: { "a/b": { type: "string", title: "Its own", description: "There" } } };

  const field = fieldOf({ $ref: "#/$defs/a~1b", title: "Here" }, root);

  expect(field).toMatchObject({ kind: "text", title: "Here", description: "There" });
});

test("references in a circle end", () => {
  const root = { $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } };

  expect(kindOf({ $ref: "#/$defs/a" }, root)).toBe("json");
});

test("a schema that contains itself has a form that ends", () => {
  const root: Schema = { type: "object", properties: { name: { type: "string" }, child: { $ref: "#" } } };

  const depth = (field: ReturnType<typeof fieldOf>): number =>
    field.kind === "group" ? 1 + Math.max(...field.properties.map((one) => depth(one.field))) : 0;

  expect(depth(fieldOf(root, root))).toBeLessThan(10);
});

test("exactly one of several properties is a choice between them", () => {
  const properties = { image: { type: "string" }, pixels: { type: "number" } };
  const oneOf = [{ required: ["image"] }, { required: ["pixels"] }];

  expect(kindOf({ type: "object", properties, oneOf })).toBe("either");
  expect(kindOf({ type: "object", properties: { ...properties, other: {} }, oneOf })).toBe("json");
});

test("a long text gets several lines, a short one does not", () => {
  expect(fieldOf({ type: "string" }, {})).toMatchObject({ long: true });
  expect(fieldOf({ type: "string", maxLength: 10_000 }, {})).toMatchObject({ long: true });
  expect(fieldOf({ type: "string", maxLength: 200 }, {})).toMatchObject({ long: false });
  expect(fieldOf({ type: "string", format: "email" }, {})).toMatchObject({ long: false, input: "email" });
});

test("a picture of something that one can draw may be drawn", () => {
  const properties = { data: { type: "string", format: "data-url" } };

  expect(fieldOf({ type: "object", properties, description: "One digit." }, {})).toMatchObject({ drawable: true });
  expect(fieldOf({ type: "object", properties, description: "A digital file." }, {})).toMatchObject({
    drawable: false,
  });
});

describe("a file", () => {
  const inline = { type: "object", properties: { data: { type: "string", format: "data-url" } } };
  const upload = { type: "object", properties: { upload: { type: "string", format: "uuid" } } };

  test.each([
    [inline, false],
    [{ type: "object", properties: { ...inline.properties, ...upload.properties } }, true],
    [{ anyOf: [inline, upload] }, true],
    [{ oneOf: [{ $ref: "#/$defs/inline" }, { $ref: "#/$defs/upload" }] }, true],
    [{ anyOf: [inline, upload, { type: "null" }] }, true],
    [{ anyOf: [{ anyOf: [inline, upload] }, { type: "null" }] }, true],
  ])("%j: uploadable: %j", (schema, uploadable) => {
    const root = { $defs: { inline, upload } };

    expect(fieldOf(schema, root)).toMatchObject({ kind: "file", uploadable });
  });

  test("what may be something else as well is none", () => {
    expect(kindOf({ anyOf: [inline, { type: "string" }] })).toBe("json");
    expect(kindOf(upload)).toBe("group");
  });

  test("what it is of is said beside the choice", () => {
    expect(fieldOf({ anyOf: [inline, upload], description: "A handwritten digit.", title: "Image" }, {})).toMatchObject(
      {
        drawable: true,
        title: "Image",
      },
    );
  });
});
