import { Alert, Button, Group, Modal, PasswordInput, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { checkKey } from "../api/client.ts";
import { setKey } from "../api/credentials.ts";
import { ApiProblem } from "../api/failures.ts";
import { dropAnswers } from "../api/queries.ts";

// What a header can carry.
const FORM = /^[\x21-\x7e]+$/;

class NoKey extends Error {
  constructor() {
    super("This is no key: it has letters, digits and signs, and no spaces.");
  }
}

interface Props {
  readonly opened: boolean;
  /** The key that was sent, and is taken no more, is not asked for as if there had been none. */
  readonly expired: boolean;
  readonly onClose: () => void;
}

/** Asks for an API key, and keeps it once the API takes it. */
function AccessDialog({ opened, expired, onClose }: Props) {
  return (
    // Without its lock of scrolling: that would be a <style> of the page, which its Content-Security-Policy forbids.
    <Modal
      opened={opened}
      onClose={onClose}
      title="An API key is needed"
      closeButtonProps={{ "aria-label": "Close" }}
      centered
      lockScroll={false}
      // A <header> of a dialog would be taken for the one of the page.
      attributes={{ header: { role: "presentation" } }}
    >
      <KeyForm expired={expired} />
    </Modal>
  );
}

function KeyForm({ expired }: { readonly expired: boolean }) {
  const client = useQueryClient();
  const [written, setWritten] = useState("");
  const signIn = useMutation({
    mutationFn: async (key: string) => {
      if (!FORM.test(key)) throw new NoKey();
      await checkKey(key);
    },
    onSuccess: (_, key) => {
      setKey(key);
      void dropAnswers(client);
    },
  });
  const key = written.trim();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!signIn.isPending) signIn.mutate(key);
  };
  return (
    <form onSubmit={submit} noValidate>
      <Text size="sm" mb="sm">
        {expired
          ? "The API takes the key no more that was used until now: it was revoked, or has expired."
          : "This API wants to know who asks. The key is kept in this tab, until it is closed."}
      </Text>
      <PasswordInput
        label="API key"
        placeholder="trk_…"
        data-autofocus
        autoComplete="off"
        spellCheck={false}
        value={written}
        error={faultOf(signIn.error)}
        onChange={({ currentTarget: { value } }) => {
          setWritten(value);
          if (signIn.isError) signIn.reset();
        }}
      />
      <div role="alert">
        {signIn.error && faultOf(signIn.error) === undefined && (
          <Alert color="red" mt="sm" role="presentation" title={signIn.error.message}>
            Nothing is known of the key yet: try again.
          </Alert>
        )}
      </div>
      <Group justify="flex-end" mt="md">
        <Button type="submit" loading={signIn.isPending}>
          Sign in
        </Button>
      </Group>
    </form>
  );
}

/** undefined: it is not about the key. */
function faultOf(error: Error | null): string | undefined {
  if (error instanceof NoKey) return error.message;
  if (error instanceof ApiProblem && error.status === 401) return `This key is not taken. ${error.detail}`.trim();
  return undefined;
}

// biome-ignore lint/style/noDefaultExport: what React loads later has to be one
export default AccessDialog;
