/** What is fetched once there is a picture: what rules find in the run, and the button that leads there. */
export { FindingsData } from './findings_data.svelte.ts';
export { default as FindingsButton } from './FindingsButton.svelte';
