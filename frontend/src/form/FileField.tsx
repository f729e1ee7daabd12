import { FileInput, Input, SegmentedControl } from "@mantine/core";
import { useEffect, useId, useRef, useState } from "react";
import { type Draft, isGroup, Unfit } from "../schema/draft.ts";
import type { FieldOf } from "../schema/field.ts";
import { DrawingPad } from "./DrawingPad.tsx";
import classes from "./FileField.module.css";
import { dataUrlOf } from "./picture.ts";
import { complaint, type FieldProps } from "./props.ts";

type Way = "draw" | "upload";

/** A file, carried in the input itself. A picture of what one can draw may also be drawn. */
export function FileField({ field, label, required, draft, onChange, faults }: FieldProps<FieldOf<"file">>) {
  const id = useId();
  const error = complaint(faults);
  // What is given already is shown, and not an empty sheet of paper in its place.
  const [way, setWay] = useState<Way>(() => (field.drawable && (draft ?? null) === null ? "draw" : "upload"));
  const choose = (next: string) => {
    setWay(next as Way);
    onChange(undefined);
  };
  return (
    <Input.Wrapper
      id={id}
      label={label}
      labelElement="div"
      labelProps={{ id: `${id}-label` }}
      description={field.description}
      withAsterisk={required}
      error={error}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset's legend could not be laid out as the other labels are */}
      <div
        role="group"
        aria-labelledby={`${id}-label`}
        className={classes["file"]}
        data-invalid={error ? true : undefined}
      >
        {field.drawable && (
          <SegmentedControl
            aria-label="Where the picture comes from"
            size="xs"
            value={way}
            onChange={choose}
            data={[
              { value: "draw", label: "Draw" },
              { value: "upload", label: "Upload" },
            ]}
          />
        )}
        {way === "draw" ? (
          <DrawingPad invalid={error !== undefined} onDraw={(data) => onChange(data === null ? undefined : { data })} />
        ) : (
          <Upload label={label} invalid={error !== undefined} draft={draft} onChange={onChange} />
        )}
      </div>
    </Input.Wrapper>
  );
}

interface UploadProps {
  readonly label: string;
  readonly invalid: boolean;
  readonly draft: Draft;
  readonly onChange: (draft: Draft) => void;
}

function Upload({ label, invalid, draft, onChange }: UploadProps) {
  const [file, setFile] = useState<File | null>(null);
  // A file takes its time: others may be chosen meanwhile, and other fields written in.
  const latest = useRef(onChange);
  const choices = useRef(0);
  useEffect(() => {
    latest.current = onChange;
  }, [onChange]);
  useEffect(() => {
    const counted = choices;
    return () => {
      counted.current += 1;
    };
  }, []);
  const take = async (chosen: File | null) => {
    choices.current += 1;
    const choice = choices.current;
    setFile(chosen);
    const given = chosen === null ? undefined : await draftOf(chosen);
    if (choice === choices.current) latest.current(given);
  };
  const data = isGroup(draft) ? draft["data"] : undefined;
  const picture = typeof data === "string" && data.startsWith("data:image/") ? data : null;
  return (
    <>
      <FileInput
        aria-label={`${label}: choose a file`}
        placeholder={data === undefined ? "Choose a file" : "Choose another file"}
        value={file}
        onChange={take}
        error={invalid}
        clearable
        className={classes["chooser"] ?? ""}
      />
      {picture && <img src={picture} alt="What will be sent" className={classes["picture"]} />}
    </>
  );
}

async function draftOf(file: File): Promise<Draft> {
  try {
    return { data: await dataUrlOf(file) };
  } catch (error) {
    return new Unfit(file.name, error instanceof Error ? error.message : "This file cannot be read.");
  }
}
