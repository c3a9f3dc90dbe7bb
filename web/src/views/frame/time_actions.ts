import type { DumpSpan } from '../../kernel/axis.ts';
import type { TimeStage } from './time_stage.svelte.ts';

/** What finished gestures do to the iterations, in every view. Each is one entry of the history. */
const FEWEST_ZOOMED = 4;

export function toggled(list: readonly number[], value: number): number[] {
  return list.includes(value) ? list.filter((v) => v !== value) : [...list, value].sort((a, b) => a - b);
}

export function toggleMark(stage: TimeStage, dump: number): void {
  const iteration = stage.run.iterations[dump];
  if (iteration !== undefined) stage.store.commit({ marks: toggled(stage.store.v.marks, iteration) });
}

export function commitBrush(stage: TimeStage, span: DumpSpan): void {
  stage.store.commit({ brush: stage.iterationsOf(span) });
}

export function zoomTo(stage: TimeStage, span: DumpSpan, change: { brush?: null } = {}): void {
  const whole = stage.run.dumps;
  const width = Math.max(Math.min(FEWEST_ZOOMED, whole), span[1] - span[0]);
  const from = Math.max(0, Math.min(whole - width, span[0]));
  const all = from <= 0 && width >= whole;
  stage.store.commit({ zoom: all ? null : stage.iterationsOf([from, from + width]), ...change });
}

export function zoomToBrush(stage: TimeStage): void {
  if (stage.brush) zoomTo(stage, stage.brush, { brush: null });
}

/** In or out by a factor, keeping the dump at `around` in place. */
export function zoomedBy(stage: TimeStage, factor: number, around: number): DumpSpan {
  const [d0, d1] = stage.zoom;
  const whole = stage.run.dumps;
  const width = Math.min(whole, Math.max(Math.min(FEWEST_ZOOMED, whole), Math.round((d1 - d0) * factor)));
  const share = (around - d0) / (d1 - d0);
  const from = Math.round(Math.max(0, Math.min(whole - width, around - share * width)));
  return [from, from + width];
}

export function unzoom(stage: TimeStage): void {
  if (stage.store.v.zoom) stage.store.commit({ zoom: null });
}

/** Esc, as far as it concerns iterations: the innermost thing first. Says whether there was anything to clear. */
export function clearTime(stage: TimeStage): boolean {
  const { v } = stage.store;
  if (v.brush) stage.store.commit({ brush: null });
  else if (v.zoom) stage.store.commit({ zoom: null });
  else if (v.marks.length) stage.store.commit({ marks: [] });
  else return false;
  return true;
}
