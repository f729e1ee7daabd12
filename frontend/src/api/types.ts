import type { components } from "./schema.d.ts";

type Schemas = components["schemas"];

export type Job = Schemas["JobView"];
export type JobState = Schemas["JobState"];
export type JobError = Schemas["JobError"];
export type ErrorCode = Schemas["ErrorCode"];
export type Model = Schemas["ModelView"];
export type ModelState = Schemas["ModelState"];
export type Fault = Schemas["Fault"];

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
