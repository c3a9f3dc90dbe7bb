import globals from 'globals';
import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

const kernelMayNotImport = {
  patterns: [
    {
      group: ['**/marks/**', '**/views/**', 'svelte', 'svelte/*'],
      message: 'kernel imports nothing above it.',
    },
  ],
};
const marksMayNotImport = {
  patterns: [{ group: ['**/views/**', 'svelte', 'svelte/*'], message: 'marks import the kernel only.' }],
};

export default ts.config(
  { ignores: ['node_modules/'] },
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
  },
  // Collections made and read inside one derivation need no reactivity; the rule cannot tell them apart.
  { rules: { 'svelte/prefer-svelte-reactivity': 'off' } },
  { files: ['src/kernel/**'], rules: { 'no-restricted-imports': ['error', kernelMayNotImport] } },
  { files: ['src/marks/**'], rules: { 'no-restricted-imports': ['error', marksMayNotImport] } },
  {
    files: ['src/**'],
    ignores: ['src/http.ts'],
    rules: { 'no-restricted-globals': ['error', 'fetch', 'EventSource'] },
  },
);
