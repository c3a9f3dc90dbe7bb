import { bisectLeft } from 'd3-array';
import { untrack } from 'svelte';
import { commitDraft, dragHandle } from './actions.ts';
import type { ConfusionStage } from './stage.svelte.ts';

/**
 * From dump to dump while `playing`: the next one once the last is here. Slowly where motion is not wanted. From the newest
 * it begins anew. Nothing is written to the link before it ends.
 */
const STEP_MS = 140;
const SLOW_STEP_MS = 1000;

export function player(stage: ConfusionStage): (() => void) | undefined {
  if (!stage.playing) return undefined;
  const { recorded } = stage.run;
  const begin = untrack(() => stage.at);
  if (begin === stage.newest && recorded.length > 1) untrack(() => dragHandle(stage, 'at', recorded[0]));
  const ms = matchMedia('(prefers-reduced-motion: reduce)').matches ? SLOW_STEP_MS : STEP_MS;
  const timer = setInterval(() => {
    if (stage.data.table.busy) return;
    const next = stage.run.recorded[bisectLeft(stage.run.recorded, stage.at) + 1];
    if (next === undefined) stage.playing = false;
    else dragHandle(stage, 'at', next);
  }, ms);
  return () => {
    clearInterval(timer);
    commitDraft(stage);
  };
}
