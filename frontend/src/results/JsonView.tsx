import { Button, CopyButton, Group } from "@mantine/core";
import { useMemo, useState } from "react";
import type { Json } from "../api/types.ts";
import { shortJson } from "../shortJson.ts";
import { Download } from "./Download.tsx";
import classes from "./JsonView.module.css";

/** Characters. More than this is slow to draw, and read by nobody: it is there to be downloaded. */
const MOST_SHOWN = 20_000;
/** Characters. What is longer is opened by whoever wants to see it. */
const MOST_OPEN = 4000;

interface Props {
  readonly value: unknown;
  /** Of the file that it is saved as. */
  readonly name: string;
  readonly url: string;
  readonly folded: boolean;
}

export function JsonView({ value, name, url, folded }: Props) {
  const [open, setOpen] = useState(() => !folded && JSON.stringify(value).length <= MOST_OPEN);
  return (
    <details className={classes["json"]} open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As JSON</summary>
      {open && <Opened value={value} name={name} url={url} />}
    </details>
  );
}

function Opened({ value, name, url }: Omit<Props, "folded">) {
  const text = useMemo(() => shortJson(value as Json), [value]);
  const cut = text.length > MOST_SHOWN;
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached with the keyboard */}
      <section className={classes["text"]} tabIndex={0} aria-label="Result as JSON">
        <pre>
          {cut
            ? `${text.slice(0, MOST_SHOWN)}\n… ${(text.length - MOST_SHOWN).toLocaleString("en")} characters more`
            : text}
        </pre>
      </section>
      <Group gap="xs">
        {window.isSecureContext && (
          <CopyButton value={text}>
            {({ copied, copy }) => (
              <Button variant="default" size="xs" onClick={copy}>
                {copied ? "Copied" : "Copy"}
              </Button>
            )}
          </CopyButton>
        )}
        <Download url={url} name={`${name}.json`} />
      </Group>
    </>
  );
}
