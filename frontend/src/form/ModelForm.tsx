import { Alert, Button, Group, Text } from "@mantine/core";
import { type FormEvent, useEffect, useMemo, useRef, useState } from "react";
import { ApiProblem } from "../api/failures.ts";
import type { Fault, Job, Json, Model } from "../api/types.ts";
import { type Draft, emptyDraft, isGroup, read } from "../schema/draft.ts";
import { type Field, fieldOf } from "../schema/field.ts";
import { below } from "../schema/pointer.ts";
import { validatorOf } from "../schema/validate.ts";
import { FormField } from "./FormField.tsx";
import classes from "./ModelForm.module.css";
import { Properties } from "./Properties.tsx";
import { complaint, unplaced } from "./props.ts";
import { Countdown, INPUT, Refusal } from "./Refusal.tsx";
import { useSubmission } from "./useSubmission.ts";

interface Props {
  readonly model: Model;
  /** What to begin with; a new object fills the form anew. */
  readonly input: { readonly value: Json } | null;
  readonly onSubmitted: (job: Job) => void;
  /** Of what is being written; not of what the form itself begins with. */
  readonly onDraft?: (draft: Draft) => void;
}

/** The form that a model's schema asks for. What is wrong is said beside the field that it is about. */
export function ModelForm({ model, input, onSubmitted, onDraft }: Props) {
  const schema = model.input_schema;
  const field = useMemo(() => fieldOf(schema, schema), [schema]);
  const validate = useMemo(() => validatorOf(schema), [schema]);
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState<Draft>(() => input?.value ?? emptyDraft(field));
  const [faults, setFaults] = useState<readonly Fault[]>([]);
  // Fields keep what is written in them: to fill them from outside, they are made anew.
  const [filled, setFilled] = useState(0);
  const [refused, setRefused] = useState(0);
  const { sending, notBefore, press, isBlocked } = useSubmission(model.name, onSubmitted);

  useEffect(() => {
    if (refused > 0) focusFirstFault(form.current);
  }, [refused]);

  const fill = (value: Draft) => {
    setDraft(value);
    onDraft?.(value);
    setFaults([]);
    sending.reset();
    setFilled((count) => count + 1);
  };
  const refuse = (found: readonly Fault[]) => {
    setFaults(found);
    setRefused((count) => count + 1);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isBlocked()) return;
    const { value, faults: lacking } = read(field, draft, true);
    const sent = value ?? null;
    const known = new Set(lacking.map(({ path }) => path));
    const found = [...lacking, ...validate(sent).filter(({ path }) => !known.has(path) && !covers(path, known, field))];
    sending.reset();
    if (found.length > 0) return refuse(found);
    setFaults([]);
    press(sent, (error) => refuse(inputFaults(error)));
  };
  const change = (next: Draft) => {
    setDraft(next);
    onDraft?.(next);
    if (faults.length > 0) setFaults([]);
  };

  return (
    // What a browser would check itself is checked here, so that all of it is said in one way.
    <form ref={form} onSubmit={submit} noValidate className={classes["form"]} aria-label={`Input of ${model.name}`}>
      <div key={filled} className={classes["fields"]}>
        <Root field={field} draft={draft} onChange={change} faults={faults} example={model.example} />
      </div>
      <Refusal error={sending.error} />
      <div role="status" className={classes["live"]}>
        {faults.length > 0 && !sending.error && (
          <p className={classes["count"]}>Not submitted: see what is said beside the fields.</p>
        )}
        {sending.isPending && sending.failureCount > 0 && (
          <Text size="sm">
            There was no good answer yet. It is sent again until there is one, and stored once however often it is sent.
          </Text>
        )}
      </div>
      {notBefore > 0 && <Countdown until={notBefore} />}
      <Group>
        <Button type="submit" loading={sending.isPending}>
          Submit
        </Button>
        {model.example !== null && (
          <Button variant="default" onClick={() => fill(model.example as Draft)}>
            Fill in the example
          </Button>
        )}
        <Button variant="subtle" color="gray" onClick={() => fill(emptyDraft(field))}>
          Start over
        </Button>
      </Group>
    </form>
  );
}

interface RootProps {
  readonly field: Field;
  readonly draft: Draft;
  readonly onChange: (draft: Draft) => void;
  readonly faults: readonly Fault[];
  readonly example: unknown;
}

/** The properties of an input stand for themselves: only other kinds of it need a name. */
function Root({ field, draft, onChange, faults, example }: RootProps) {
  if (field.kind !== "group") {
    return (
      <FormField
        field={field}
        label="Input"
        required
        draft={draft}
        onChange={onChange}
        faults={faults}
        example={example}
      />
    );
  }
  const error = complaint(unplaced(faults, new Set(field.properties.map(({ name }) => name))));
  return (
    <>
      {error && (
        <Alert color="red" data-invalid>
          {error}
        </Alert>
      )}
      <Properties
        properties={field.properties}
        draft={isGroup(draft) ? draft : {}}
        onChange={onChange}
        faults={faults}
        example={example}
      />
    </>
  );
}

function inputFaults(error: Error): readonly Fault[] {
  if (!(error instanceof ApiProblem)) return [];
  return error.faults.flatMap(({ path, message }) => {
    const inside = below(path, INPUT);
    return inside === null ? [] : [{ path: inside, message }];
  });
}

/** Of "one of these is needed" nothing is left to say, where it is said of the one that was chosen. */
function covers(path: string, known: ReadonlySet<string>, field: Field): boolean {
  return path === "" && field.kind === "either" && known.size > 0;
}

function focusFirstFault(form: HTMLElement | null): void {
  const first = form?.querySelector<HTMLElement>("[aria-invalid=true], [data-invalid]");
  const target = first?.matches("input, textarea, select, button")
    ? first
    : first?.querySelector<HTMLElement>(FOCUSABLE);
  (target ?? first)?.focus({ preventScroll: true });
  first?.scrollIntoView({ block: "center", behavior: "auto" });
}

const FOCUSABLE = "input, textarea, select, button, [tabindex]";
