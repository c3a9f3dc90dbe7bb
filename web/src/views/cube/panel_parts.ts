/** What of the side panel is fetched once there is a picture: what is said of a selection, and enlarged. */
export { default as Details } from './Details.svelte';
export { default as Lens } from './Lens.svelte';
