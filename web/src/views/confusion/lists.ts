/** What stands beside the matrix where no cell is selected; it comes after the picture. */
export { default as FlowList } from './FlowList.svelte';
export { default as PairList } from './PairList.svelte';
