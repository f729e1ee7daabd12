import { MantineProvider } from "@mantine/core";
import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type RenderResult, render } from "@testing-library/react";
import { createQueryClient } from "../api/queries.ts";

/** With all that the page has around it. */
export function show(content: React.ReactNode, client: QueryClient = createQueryClient()): RenderResult {
  return render(within(content, client));
}

export function within(content: React.ReactNode, client: QueryClient): React.ReactNode {
  return (
    <MantineProvider env="test" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={client}>{content}</QueryClientProvider>
    </MantineProvider>
  );
}
