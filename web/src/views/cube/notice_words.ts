/** What is said of a picture, fetched where there is something to say. */
export { advice, emptiness } from './emptiness.ts';
export { tooMuch } from './limits.ts';
