import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds the API: the address of a running server. */
const api = process.env.SONAR_API ?? "http://127.0.0.1:8080";

/** Libraries that every page needs, in one file that browsers keep across releases. */
const BASE =
  /node_modules\/(react|react-dom|scheduler|@tanstack\/(react-)?(query|router|store|history)[^/]*)\//;

export default defineConfig({
  plugins: [react()],
  server: { proxy: { "/api": api, "/readyz": api, "/docs": api } },
  preview: { proxy: { "/api": api, "/readyz": api, "/docs": api } },
  build: {
    target: "es2023",
    // For the budget check, which moves it out of dist.
    manifest: true,
    // Strict CSP: no data: URIs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [{ name: "base", test: BASE }],
        },
      },
    },
  },
  test: {
    environment: "jsdom",
    testTimeout: 20_000,
    setupFiles: ["./test/setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    css: { modules: { classNameStrategy: "non-scoped" } },
  },
});
