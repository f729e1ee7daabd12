import { Button, Progress, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useAccess } from "../api/credentials.ts";
import { ErrorAlert } from "../ErrorAlert.tsx";
import { sizeOf } from "../sizeOf.ts";
import classes from "./Download.module.css";
import { type Fetched, fetchFile } from "./fetchFile.ts";

interface Props {
  readonly url: string;
  /** Of the file that it is saved as. */
  readonly name: string;
}

/** A link where the browser can follow it, straight to the disk; with a key, which a link cannot carry, what is fetched. */
export function Download({ url, name }: Props) {
  const { key } = useAccess();
  if (key !== null) return <Fetching url={url} name={name} />;
  return (
    <Button variant="default" size="xs" component="a" href={url} download={name}>
      Download
    </Button>
  );
}

function Fetching({ url, name }: Props) {
  const [fetched, setFetched] = useState<Fetched | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const download = useMutation({
    mutationFn: async () => {
      const controller = new AbortController();
      stop.current = controller;
      save(await fetchFile(url, setFetched, controller.signal), name);
    },
    onSettled: () => setFetched(null),
  });
  return (
    <div className={classes["download"]}>
      <Button variant="default" size="xs" loading={download.isPending} onClick={() => download.mutate()}>
        Download
      </Button>
      {fetched && <HowFar {...fetched} />}
      <div role="alert">{download.error && <ErrorAlert error={download.error} />}</div>
    </div>
  );
}

function HowFar({ bytes, total }: Fetched) {
  return (
    <>
      {total !== null && (
        <Progress value={(100 * bytes) / Math.max(1, total)} aria-label="Download" className={classes["bar"] ?? ""} />
      )}
      <Text size="sm" c="dimmed">
        {total === null ? sizeOf(bytes) : `${sizeOf(bytes)} of ${sizeOf(total)}`}
      </Text>
    </>
  );
}

function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
