import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { keys } from "../api/queries.ts";
import { sizeOf } from "../sizeOf.ts";
import { Download } from "./Download.tsx";
import { fetchSize } from "./fetchFile.ts";
import classes from "./ResultView.module.css";

/** A result that lies somewhere else. It is not looked into: tens of megabytes are for a program to read. */
export function LargeResult({ url, name }: { readonly url: string; readonly name: string }) {
  const { data: size } = useQuery({
    queryKey: keys.resultSize(url),
    queryFn: ({ signal }) => fetchSize(url, signal).catch(() => null), // it would be nice to know, and no more
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <div className={classes["result"]}>
      <Text size="sm">
        {typeof size === "number"
          ? `The result is too large to be shown here: ${sizeOf(size)} of JSON.`
          : "The result is too large to be shown here."}
      </Text>
      <Download url={url} name={`${name}.json`} />
    </div>
  );
}
