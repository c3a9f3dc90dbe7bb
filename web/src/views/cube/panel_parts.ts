/** What is fetched once there is a picture: what is said of the pointer and of a selection. */
export { readingOn } from './reading.ts';
export { default as SidePanel } from './SidePanel.svelte';
