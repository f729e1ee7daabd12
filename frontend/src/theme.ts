import { createTheme } from "@mantine/core";

/**
 * Given to the provider with its <style>s turned off: Mantine would write what differs from its own theme into a <style> of the page, which the page's
 * Content-Security-Policy forbids: colours and sizes of our own are in page.css instead.
 */
export const theme = createTheme({ respectReducedMotion: true });
