/** What is said of a picture, fetched where there is something to say. */
export { limitTexts } from '../../kernel/correlation_limit_texts.ts';
export { advice, emptiness } from './emptiness.ts';
export { tooMuch } from './limits.ts';
export { default as Notice } from './Notice.svelte';
