import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The API that `npm run dev` talks to: the one of `make run`.
const API = "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  // Everything is a file of this origin: the page's Content-Security-Policy allows nothing else.
  build: { assetsInlineLimit: 0 },
  server: { proxy: { "/v1": API, "/docs": API, "/openapi.json": API, "/readyz": API } },
  test: {
    environment: "jsdom",
    setupFiles: ["src/testing/setup.ts"],
    restoreMocks: true,
    testTimeout: 30_000,
  },
});
