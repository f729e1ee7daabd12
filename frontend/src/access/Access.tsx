import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { setKey, useAccess } from "../api/credentials.ts";
import { dropAnswers } from "../api/queries.ts";
import { Boundary } from "../Boundary.tsx";

// Needed only where the API asks for a key.
const AccessDialog = lazy(() => import("./AccessDialog.tsx"));

/** Signing in and out. Where the API asks nobody for a key, there is nothing to be seen of it. */
export function Access() {
  const client = useQueryClient();
  const { key, refused } = useAccess();
  // Closed by whom it was shown to; the next refusal, of another key, opens it again.
  const [closed, setClosed] = useState<string | null | false>(false);
  const signOut = () => {
    setKey(null);
    setClosed(false);
    void dropAnswers(client);
  };
  const opened = refused !== null && closed !== key;
  if (key === null && refused === null) return null;
  return (
    <>
      {refused ? (
        <Button variant="default" size="xs" onClick={() => setClosed(false)}>
          Sign in
        </Button>
      ) : (
        <Button variant="default" size="xs" onClick={signOut}>
          Sign out
        </Button>
      )}
      <Boundary fallback={null}>
        <Suspense>
          <AccessDialog opened={opened} expired={key !== null} onClose={() => setClosed(key)} />
        </Suspense>
      </Boundary>
    </>
  );
}
