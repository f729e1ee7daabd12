import { FileInput, Input, Progress, Text } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { ApiProblem, Unreachable } from "../api/failures.ts";
import { uploadFile } from "../api/uploads.ts";
import { type Draft, isGroup, Unfit } from "../schema/draft.ts";
import { sizeOf } from "../sizeOf.ts";
import classes from "./FileField.module.css";
import { dataUrlOf } from "./picture.ts";

/** Bytes. What is smaller travels in the input: it is there at once, and needs no upload that somebody has to remove. */
const LARGEST_INLINE = 256 * 1024;

interface Props {
  readonly label: string;
  readonly invalid: boolean;
  /** Whether the input may name an upload in the place of the file itself. */
  readonly uploadable: boolean;
  readonly draft: Draft;
  readonly onChange: (draft: Draft) => void;
}

/** A file of the user's: read, or sent ahead if it is large. */
export function FileChooser({ label, invalid, uploadable, draft, onChange }: Props) {
  const [file, setFile] = useState<File | null>(null);
  const [sent, setSent] = useState<number | null>(null); // the share, while it is sent
  const [failure, setFailure] = useState<string | null>(null);
  // A file takes its time: others may be chosen meanwhile, and other fields written in.
  const latest = useRef(onChange);
  const choice = useRef(new AbortController());
  useEffect(() => {
    latest.current = onChange;
  }, [onChange]);
  useEffect(() => () => choice.current.abort(), []);

  const take = async (chosen: File | null) => {
    choice.current.abort();
    choice.current = new AbortController();
    const { signal } = choice.current;
    const large = uploadable && chosen !== null && chosen.size > LARGEST_INLINE;
    setFile(chosen);
    setSent(large ? 0 : null);
    setFailure(null);
    latest.current(chosen === null ? undefined : new Unfit(chosen.name, large ? UPLOADING : READING));
    if (chosen === null) return;
    const progress = (share: number) => signal.aborted || setSent(share);
    try {
      const given = large
        ? { upload: (await uploadFile(chosen, progress, signal)).id }
        : { data: await dataUrlOf(chosen) };
      if (!signal.aborted) latest.current(given);
    } catch (error) {
      if (signal.aborted) return;
      setFailure(reasonOf(error));
      latest.current(new Unfit(chosen.name, reasonOf(error)));
    }
    if (!signal.aborted) setSent(null);
  };

  const given = isGroup(draft) ? draft : {};
  const named = typeof given["upload"] === "string";
  return (
    <>
      <FileInput
        aria-label={`${label}: choose a file`}
        placeholder={named || given["data"] !== undefined ? "Choose another file" : "Choose a file"}
        value={file}
        onChange={take}
        error={invalid || failure !== null}
        clearable
        className={classes["chooser"] ?? ""}
      />
      {file && sent !== null && <Sending file={file} share={sent} />}
      {/* Once it has been tried to submit, it stands beside the field anyway. */}
      <div role="alert">{failure !== null && !invalid && <Input.Error size="sm">{failure}</Input.Error>}</div>
      {named && (
        <Text size="sm" c="dimmed">
          {file ? `Uploaded: ${sizeOf(file.size)}.` : "The file that was uploaded for the earlier job."}
        </Text>
      )}
      <Picture file={named ? file : null} data={given["data"]} />
    </>
  );
}

const UPLOADING = "This file is still being uploaded.";
const READING = "This file is still being read.";

function Sending({ file, share }: { readonly file: File; readonly share: number }) {
  const percent = Math.round(share * 100);
  return (
    <div className={classes["sending"]}>
      <Progress value={percent} aria-label={`Upload of ${file.name}`} />
      <Text size="sm" c="dimmed">
        {percent} % of {sizeOf(file.size)}
      </Text>
    </div>
  );
}

/** file: one that was uploaded; the input does not carry it. */
function Picture({ file, data }: { readonly file: File | null; readonly data: unknown }) {
  const [address, setAddress] = useState<string | null>(null);
  useEffect(() => {
    if (!file?.type.startsWith("image/")) return;
    const made = URL.createObjectURL(file);
    setAddress(made);
    return () => {
      URL.revokeObjectURL(made);
      setAddress(null);
    };
  }, [file]);
  const inline = typeof data === "string" && data.startsWith("data:image/") ? data : null;
  const source = address ?? inline;
  return source && <img src={source} alt="What will be sent" className={classes["picture"]} />;
}

/** What to do about it. */
function reasonOf(error: unknown): string {
  if (error instanceof ApiProblem) return [error.message, error.detail].filter(Boolean).join(". ");
  if (error instanceof Unreachable) return "The upload broke off: choose the file again.";
  return error instanceof Error ? error.message : "This file cannot be read.";
}
