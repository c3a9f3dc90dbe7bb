import type { Anomaly, Glyph } from '../../kernel/anomalies.ts';
import { scoreOf } from '../../kernel/anomalies.ts';
import type { Row } from '../../kernel/layout.ts';
import type { View } from '../../kernel/view_state.ts';
import { clearTime, toggled, toggleMark } from '../frame/time_actions.ts';
import type { Hover } from './hit.ts';
import type { StageState } from './stage.svelte.ts';

/** What a finished gesture does, by mouse or by key. Each is one entry of the history. */
export function toggleRow(stage: StageState, row: Row): void {
  const { v } = stage.store;
  if (row.kind === 'class') stage.store.commit({ classes: toggled(v.classes, row.cls) });
  if (row.kind !== 'cluster') return;
  const assignment = stage.data.clusters.value?.assignment;
  const closes = v.clusters.includes(row.cluster);
  const classes = closes ? v.classes.filter((cls) => assignment?.[cls] !== row.cluster) : v.classes;
  stage.store.commit({ clusters: toggled(v.clusters, row.cluster), classes });
}

export function selectAnomaly(stage: StageState, anomaly: Anomaly): void {
  const iteration = stage.run.iterations[anomaly.dump];
  if (iteration !== undefined) stage.store.commit({ anomaly: [anomaly.cls, iteration], sample: null });
}

export function selectGlyph(stage: StageState, glyph: Glyph): void {
  selectAnomaly(
    stage,
    glyph.members.reduce((best, m) => (scoreOf(m) > scoreOf(best) ? m : best)),
  );
}

export function sampleAt(stage: StageState, cls: number, position: number): number | null {
  const entry = stage.data.opened.get(cls);
  const row = entry?.order(stage.store.v.rows)[position];
  return row === undefined ? null : (entry?.samples.whole.value?.samples[row] ?? null);
}

export function selectSample(stage: StageState, cls: number, position: number): void {
  const sample = sampleAt(stage, cls, position);
  if (sample !== null) stage.store.commit({ sample });
}

/** A click, or Enter at the cursor. */
export function activate(stage: StageState, hover: Hover): void {
  if ((hover.area === 'axis' || hover.area === 'chart') && hover.dump !== null) toggleMark(stage, hover.dump);
  else if (hover.glyph) selectGlyph(stage, hover.glyph);
  else if (hover.row?.kind === 'pixels') {
    if (hover.position !== null) selectSample(stage, hover.row.cls, hover.position);
  } else if (hover.row) toggleRow(stage, hover.row);
}

/** Esc: the innermost thing first. Says whether there was anything to clear. */
export function clearInnermost(stage: StageState): boolean {
  const { v } = stage.store;
  if (v.sample !== null) stage.store.commit({ sample: null });
  else if (v.anomaly) stage.store.commit({ anomaly: null });
  else return clearTime(stage);
  return true;
}

/** Open a class in its cluster and bring it into view; what else is chosen with it is the same entry of the history. */
export function openClass(stage: StageState, cls: number, chosen: Partial<View> = {}): void {
  const cluster = stage.data.clusters.value?.assignment[cls];
  const { v } = stage.store;
  stage.store.commit({
    clusters: cluster === undefined || v.clusters.includes(cluster) ? v.clusters : [...v.clusters, cluster],
    classes: v.classes.includes(cls) ? v.classes : [...v.classes, cls].sort((a, b) => a - b),
    only: v.only && Boolean(stage.data.anomaliesByClass?.has(cls)),
    ...chosen,
  });
  showClass(stage, cls);
}

export function showClass(stage: StageState, cls: number): void {
  const row = stage.layout.rows.find((r) => r.kind === 'class' && r.cls === cls);
  if (row) stage.scroll = Math.max(0, Math.min(stage.maxScroll, row.y - 40));
}

/** Bring into view what a link is about: the class of its anomaly, else the first one that it opens. */
export function showWhatIsChosen(stage: StageState): void {
  const { anomaly, classes } = stage.store.v;
  const cls = anomaly?.[0] ?? classes[0];
  const row = stage.layout.rows.find((r) => r.kind === 'class' && r.cls === cls);
  if (row && row.y + row.h > stage.bodyHeight) showClass(stage, cls);
}

/** Select an anomaly whose class need not be on the screen yet. */
export function openAnomaly(stage: StageState, { cls, dump }: Anomaly): void {
  const iteration = stage.run.iterations[dump];
  if (iteration !== undefined) openClass(stage, cls, { anomaly: [cls, iteration], sample: null });
}

export function stepAnomaly(stage: StageState, cls: number, dump: number, direction: 1 | -1): Anomaly | null {
  const list = stage.data.anomaliesByClass?.get(cls) ?? [];
  const next =
    direction === 1 ? list.find((a) => a.dump > dump) : [...list].reverse().find((a) => a.dump < dump);
  if (next) selectAnomaly(stage, next);
  return next ?? null;
}
