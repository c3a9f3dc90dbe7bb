import type { CubeStage } from './cube_stage.svelte.ts';
import { TOP } from './question.ts';

/**
 * A limit in place of a number of filters, such that about as many count at the first anomaly iteration. Says whether
 * there is one.
 */
export async function useLimit(stage: CubeStage): Promise<boolean> {
  const { source, id, iterations } = stage.run;
  const { top, distance } = stage.store.v;
  const dump = stage.data.correlation.value?.columnDump[0];
  if (dump === undefined) return false;
  const asking = { signal: new AbortController().signal };
  const found = await source.topFilters(id, iterations[dump], top || TOP, distance, asking);
  const above = Number(found.value[found.value.length - 1]?.toPrecision(2));
  if (above > 0) stage.store.commit({ above });
  return above > 0;
}
