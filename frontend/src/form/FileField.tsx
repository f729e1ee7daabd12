import { Input, SegmentedControl } from "@mantine/core";
import { useId, useState } from "react";
import type { FieldOf } from "../schema/field.ts";
import { DrawingPad } from "./DrawingPad.tsx";
import { FileChooser } from "./FileChooser.tsx";
import classes from "./FileField.module.css";
import { complaint, type FieldProps } from "./props.ts";

type Way = "draw" | "upload";

/** A file, carried in the input itself or uploaded before. A picture of what one can draw may also be drawn. */
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
          <FileChooser
            label={label}
            invalid={error !== undefined}
            uploadable={field.uploadable}
            draft={draft}
            onChange={onChange}
          />
        )}
      </div>
    </Input.Wrapper>
  );
}
