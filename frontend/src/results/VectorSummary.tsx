import { Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getInput } from "../api/client.ts";
import { keys } from "../api/queries.ts";
import type { Job } from "../api/types.ts";
import classes from "./VectorSummary.module.css";
import { cosine, norm } from "./vectors.ts";

type Vectors = readonly (readonly number[])[];

const MOST_COMPARED = 12;
const MOST_LISTED = 5;
const MOST_NUMBERS = 4;

/** Hundreds of numbers say nothing to the eye; how alike the texts are, does. */
export function VectorSummary({ job, vectors }: { readonly job: Job; readonly vectors: Vectors }) {
  const { data: input } = useQuery({
    queryKey: keys.input(job.id),
    queryFn: ({ signal }) => getInput(job.id, signal),
    staleTime: Number.POSITIVE_INFINITY,
    enabled: vectors.length <= MOST_COMPARED,
  });
  const names = namesOf(input, vectors.length);
  const compared = vectors.length > 1 && vectors.length <= MOST_COMPARED;
  return (
    <>
      <Text>
        {vectors.length.toLocaleString("en")} {vectors.length === 1 ? "vector" : "vectors"} of {vectors[0]?.length}{" "}
        numbers
      </Text>
      {compared ? <Similarities vectors={vectors} names={names} /> : <Beginnings vectors={vectors} />}
    </>
  );
}

/** The texts that the vectors were made of, where the input is nothing but a list of as many. */
function namesOf(input: unknown, length: number): readonly string[] {
  const lists = typeof input === "object" && input !== null ? Object.values(input) : [];
  const texts = lists.find(
    (list) => Array.isArray(list) && list.length === length && list.every((one) => typeof one === "string"),
  );
  return texts ?? Array.from({ length }, () => "");
}

function Similarities({ vectors, names }: { readonly vectors: Vectors; readonly names: readonly string[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached with the keyboard
    <section className={classes["scrolled"]} aria-label="How alike they are" tabIndex={0}>
      <table className={classes["similarities"]}>
        <caption>How alike they are, from −1 to 1 (cosine)</caption>
        <thead>
          <tr>
            <td />
            {vectors.map((_, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a vector is known by its place
              <th key={place} scope="col">
                {place + 1}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {vectors.map((one, row) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a vector is known by its place
            <tr key={row}>
              <th scope="row" title={names[row]}>
                <span>
                  {row + 1}
                  {names[row] ? `. ${names[row]}` : ""}
                </span>
              </th>
              {vectors.map((other, column) => {
                const alike = cosine(one, other);
                return (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a vector is known by its place
                  <td key={column} style={{ "--alike": Math.max(0, alike) } as React.CSSProperties}>
                    {alike.toFixed(2)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Beginnings({ vectors }: { readonly vectors: Vectors }) {
  return (
    <Table>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>No.</Table.Th>
          <Table.Th>Length</Table.Th>
          <Table.Th>Begins with</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {vectors.slice(0, MOST_LISTED).map((vector, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a vector is known by its place
          <Table.Tr key={place}>
            <Table.Td>{place + 1}</Table.Td>
            <Table.Td>{norm(vector).toFixed(3)}</Table.Td>
            <Table.Td className={classes["numbers"] ?? ""}>
              {vector
                .slice(0, MOST_NUMBERS)
                .map((number) => number.toFixed(3))
                .join(", ")}
              , …
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
