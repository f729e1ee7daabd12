import { Alert, Table, Text } from "@mantine/core";
import type { ErrorCode, JobError } from "../api/types.ts";
import classes from "./JobFailure.module.css";

interface Advice {
  readonly title: string;
  readonly todo: string;
}

const ADVICE: Readonly<Record<ErrorCode, Advice>> = {
  invalid_input: { title: "The model refused the input", todo: "Change the input, and submit it again." },
  model_error: {
    title: "The model failed",
    todo: "If another input works, it is this one; otherwise tell whoever wrote the model. Retry runs it once more.",
  },
  out_of_memory: {
    title: "There was not enough memory",
    todo: "Submit a smaller input, or let a larger worker run it.",
  },
  execution_timeout: {
    title: "It took longer than it may",
    todo: "Submit a smaller input, or give it more time: `execution_timeout` of a submission over the API.",
  },
  worker_lost: {
    title: "The process that ran it died",
    todo: "Retry runs it once more. If that happens again, the model crashes on it.",
  },
  queue_expired: {
    title: "It waited too long for a worker",
    todo: "See whether a worker serves the model; then retry.",
  },
  model_load_failed: {
    title: "The model could not be loaded",
    todo: "The worker's log says why. Retry once it is mended.",
  },
};

/** Why a job failed, what to do about it, and what became of each attempt. */
export function JobFailure({ error }: { readonly error: JobError }) {
  const { title, todo } = ADVICE[error.code] ?? { title: error.code, todo: "" };
  return (
    <Alert color="red" title={title}>
      <Text className={classes["message"] ?? ""}>{error.message}</Text>
      <Text size="sm" mt="xs">
        {todo}
      </Text>
      {error.attempts && error.attempts.length > 1 && <Attempts attempts={error.attempts} />}
    </Alert>
  );
}

function Attempts({ attempts }: Required<Pick<JobError, "attempts">>) {
  return (
    <details className={classes["attempts"]}>
      <summary>{attempts.length} attempts</summary>
      <Table>
        <Table.Tbody>
          {attempts.map(({ attempt, code, message }) => (
            <Table.Tr key={attempt}>
              <Table.Td>{attempt}</Table.Td>
              <Table.Td>{code}</Table.Td>
              <Table.Td className={classes["message"] ?? ""}>{message}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </details>
  );
}
