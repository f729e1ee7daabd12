import { Alert } from "@mantine/core";
import { ApiProblem } from "./api/failures.ts";

/** What the API said, whole: of a 403, which scope is missing, stands in its second sentence. */
export function ErrorAlert({ error }: { readonly error: Error }) {
  return (
    <Alert color="red" title={error.message} role="presentation">
      {error instanceof ApiProblem && error.detail}
    </Alert>
  );
}
