import { bisectLeft } from 'd3-array';
import { zoomedWindow } from '../../kernel/confusion_raster.ts';
import type { MatrixOrder, View } from '../../kernel/view_state.ts';
import { clearTime } from '../frame/time_actions.ts';
import type { Hover } from './hit.ts';
import type { ConfusionStage, Handle } from './stage.svelte.ts';

/** What a finished gesture does, by mouse or by key. Each is one entry of the history. */

/** The dump with predictions at or next to a dump. */
function recordedAt(stage: ConfusionStage, dump: number): number {
  return stage.nearest(stage.run.iterations[dump]);
}

export function dragHandle(stage: ConfusionStage, handle: Handle, dump: number): void {
  stage.draft = { ...stage.draft, [handle]: recordedAt(stage, dump) };
}

/** The newest dump is not named in the link: it stays the newest while the run grows. */
function linked(stage: ConfusionStage, dump: number): number | null {
  return dump === stage.newest ? null : stage.run.iterations[dump];
}

export function commitDraft(stage: ConfusionStage): void {
  const { at, to } = stage.draft;
  const change: { -readonly [K in 'at' | 'to']?: View[K] } = {};
  if (at !== undefined && at !== null) change.at = linked(stage, at);
  if (to !== undefined) change.to = to === null ? null : stage.run.iterations[to];
  stage.draft = {};
  stage.store.commit(change);
}

export function moveHandle(stage: ConfusionStage, handle: Handle, dump: number): void {
  dragHandle(stage, handle, dump);
  commitDraft(stage);
}

/** So many dumps on, among those that have predictions. */
export function stepHandle(stage: ConfusionStage, handle: Handle, steps: number): void {
  const { recorded } = stage.run;
  const from = handle === 'at' ? stage.at : stage.to;
  if (from === null || recorded.length === 0) return;
  const place = bisectLeft(recorded, from) + steps;
  moveHandle(stage, handle, recorded[Math.max(0, Math.min(recorded.length - 1, place))]);
}

/** Compare with the beginning of the stage of the learning rate, else with the middle of what came before. */
export function toggleComparison(stage: ConfusionStage): void {
  if (stage.store.v.to !== null) {
    stage.store.commit({ to: null });
    return;
  }
  const { iterations, recorded, info } = stage.run;
  const at = stage.at;
  const begun = (info.value?.lr_stages ?? []).findLast(({ first }) => first > 0 && first < iterations[at]);
  const before = begun ? stage.nearest(begun.first) : recorded[Math.floor(bisectLeft(recorded, at) / 2)];
  const other = at === recorded[0] ? stage.newest : recorded[0];
  const to = before === at ? other : before;
  if (to !== undefined) stage.store.commit({ to: iterations[to] });
}

export function selectCell(stage: ConfusionStage, cls: number, label: number): void {
  const { cell } = stage.store.v;
  const isSame = cell?.[0] === cls && cell[1] === label;
  if (label < -2) return;
  stage.store.commit({ cell: isSame ? null : [cls, label], sample: null });
}

/** A click, or Enter at the cursor: a cell, or a class as what it is taken for by right. */
export function activate(stage: ConfusionStage, { area, row, column, dump }: Hover): void {
  const { matrix } = stage;
  if (area === 'scrub' && dump !== null) moveHandle(stage, 'at', dump);
  else if (matrix && row !== null && column !== null) {
    selectCell(stage, matrix.rows[row], matrix.columns[column]);
  } else if (matrix && row !== null) selectCell(stage, matrix.rows[row], matrix.rows[row]);
  else if (matrix && column !== null && column < matrix.classes) {
    selectCell(stage, matrix.columns[column], matrix.columns[column]);
  }
}

export function zoomMatrix(
  stage: ConfusionStage,
  factor: number,
  at: { readonly row: number; readonly column: number },
): void {
  const window = zoomedWindow(stage.window, factor, at, stage.extent);
  stage.zoomedTo = window.cells < Math.max(stage.extent.rows, stage.extent.columns) ? window : null;
}

export function showClass(stage: ConfusionStage, cls: number): void {
  const row = stage.matrix?.rows.indexOf(cls) ?? -1;
  if (row < 0) stage.store.commit({ onlyClasses: [], cell: [cls, cls], sample: null });
  else stage.store.commit({ cell: [cls, cls], sample: null });
}

/** A class and those that it is taken for, or that are taken for it, at the dump that is looked at. */
export function confusedWith(stage: ConfusionStage, cls: number): number[] {
  const table = stage.data.table.value;
  if (!table) return [cls];
  const { offsets, predicted, count } = table;
  const found = new Set([cls]);
  for (let of = 0; of + 1 < offsets.length; of++) {
    for (let i = offsets[of]; i < offsets[of + 1]; i++) {
      if (count[i] === 0 || predicted[i] < 0 || predicted[i] + 1 >= offsets.length) continue;
      if (of === cls) found.add(predicted[i]);
      else if (predicted[i] === cls) found.add(of);
    }
  }
  return [...found].sort((a, b) => a - b);
}

/** The next or previous cell of confusions, the strongest first. */
export function stepConfusion(stage: ConfusionStage, direction: 1 | -1): void {
  const { entries, matrix } = stage;
  if (!entries || !matrix) return;
  const strength = (i: number) => Math.abs(entries.share[i]);
  const cells = Array.from(entries.row, (_, i) => i)
    .filter((i) => entries.row[i] !== entries.column[i] && matrix.columns[entries.column[i]] >= -2)
    .filter((i) => strength(i) > 0)
    .sort((a, b) => strength(b) - strength(a) || a - b);
  const { cell } = stage.store.v;
  const at = cells.findIndex(
    (i) => matrix.rows[entries.row[i]] === cell?.[0] && matrix.columns[entries.column[i]] === cell[1],
  );
  const next = cells[at < 0 ? 0 : Math.max(0, Math.min(cells.length - 1, at + direction))];
  if (next === undefined || next === cells[at]) return;
  stage.hover = { area: 'cell', dump: null, row: entries.row[next], column: entries.column[next] };
  stage.store.commit({
    cell: [matrix.rows[entries.row[next]], matrix.columns[entries.column[next]]],
    sample: null,
  });
}

export function changeOrder(stage: ConfusionStage, matrixOrder: MatrixOrder): void {
  stage.hover = null;
  stage.store.commit({ matrixOrder });
}

/** Esc: the innermost thing first. Says whether there was anything to clear. */
export function clearInnermost(stage: ConfusionStage): boolean {
  const { v } = stage.store;
  if (stage.playing) stage.playing = false;
  else if (v.sample !== null) stage.store.commit({ sample: null });
  else if (v.cell) stage.store.commit({ cell: null });
  else if (stage.zoomedTo) stage.zoomedTo = null;
  else if (v.to !== null) stage.store.commit({ to: null });
  else return clearTime(stage);
  return true;
}

/** Into the Validation view, with a class opened in its cluster. */
export function intoValidation(stage: ConfusionStage, cls: number): void {
  const { v } = stage.store;
  stage.store.commit({
    view: 'validation',
    classes: v.classes.includes(cls) ? v.classes : [...v.classes, cls],
  });
}
