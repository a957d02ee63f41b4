// What `make check` asks of JavaScript: mistakes, not taste.
import js from "@eslint/js";
import globals from "globals";

const worker = { ...globals.browser, ...globals.worker };

export default [
  { ignores: ["static/vendor/", "build/", "dist/", "**/node_modules/", "**/.venv/"] },
  js.configs.recommended,
  {
    files: ["static/*.js", "py/**/*.js", "tests/bench/**/*.js", "tests/soak/*.js"],
    languageOptions: { sourceType: "script", globals: worker },
    rules: { "no-implicit-globals": "error" },
  },
  // A service worker has a global scope to itself.
  { files: ["sw.js"], languageOptions: { sourceType: "script", globals: globals.serviceworker } },
  { files: ["examples/**/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["tests/**/*.mjs"], languageOptions: { globals: worker } },
  { files: ["tools/*.mjs"], languageOptions: { globals: globals.node } },
  {
    rules: {
      "eqeqeq": ["error", "always", { null: "ignore" }],
      "no-empty": ["error", { allowEmptyCatch: true }],
            "no-unused-vars": ["error", { args: "none", caughtErrors: "none", varsIgnorePattern: "^_" }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
