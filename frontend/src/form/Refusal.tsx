import { Alert, Text } from "@mantine/core";
import { ApiProblem } from "../api/failures.ts";
import { useNow } from "../clock.ts";
import { longDuration } from "../jobs/duration.ts";
import { below } from "../schema/pointer.ts";
import classes from "./ModelForm.module.css";
import { complaint } from "./props.ts";
import { mayBeStored } from "./useSubmission.ts";

export const INPUT = "/input"; // where a submission has it

/** What the API has against a submission, besides what is said beside the fields. */
export function Refusal({ error }: { readonly error: Error | null }) {
  const problem = error instanceof ApiProblem ? error : null;
  const elsewhere = problem?.faults.filter(({ path }) => below(path, INPUT) === null) ?? [];
  const unclear = error !== null && mayBeStored(error) && UNCLEAR;
  return (
    // There before it says anything: what comes with its words is not read out everywhere.
    <div role="alert" className={classes["live"]}>
      {error && (
        <Alert color="red" title={error.message} role="presentation" className={classes["refusal"] ?? ""}>
          {[problem?.detail, complaint(elsewhere), unclear].filter(Boolean).join("\n")}
        </Alert>
      )}
    </div>
  );
}

const UNCLEAR = "The job may or may not have been stored. Submit it again: it is stored once, even if it was already.";

/** until: by the server's clock, in milliseconds. Beside the alert, which would be read out once a second. */
export function Countdown({ until }: { readonly until: number }) {
  const left = Math.ceil((until - useNow()) / 1000);
  return (
    <Text size="sm" role="timer" className={classes["countdown"] ?? ""}>
      {left > 0 ? `It can be submitted again in ${longDuration(left * 1000)}.` : "It can be submitted again now."}
    </Text>
  );
}
