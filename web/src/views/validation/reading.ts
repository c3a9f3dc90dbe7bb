import { scoreOf } from '../../kernel/anomalies.ts';
import {
  countText,
  iterationText,
  percentText,
  stageRateText,
  wholePercentText,
} from '../../kernel/format.ts';
import { countedShare, shareOf } from '../../kernel/colour.ts';
import { columnOf, dumpsOf, iterationsText } from '../../kernel/detail.ts';
import { sampleAt } from './actions.ts';
import type { Hover } from './hit.ts';
import type { StageState } from './stage.svelte.ts';

/** The exact values under the pointer or the keyboard's cursor, as pairs of label and value. */
export type Reading = readonly (readonly [string, string])[];

export function readingOf(stage: StageState, hover: Hover | null): Reading {
  if (!hover || (hover.dump === null && !hover.row)) return [];
  const out: [string, string][] = [];
  const { dump, row } = hover;
  const iteration = dump === null ? undefined : stage.run.iterations[dump];
  if (dump !== null && iteration !== undefined) {
    out.push(['Iteration', `${iterationText(iteration)} · dump ${dump}`]);
    out.push(...learningRateReading(stage, iteration));
  }
  if (hover.area === 'chart' || hover.area === 'axis') out.push(...overallReading(stage, dump));
  if (row?.kind === 'cluster') out.push(...clusterReading(stage, row.cluster, dump));
  if (row && row.kind !== 'cluster') {
    out.push(...classReading(stage, row.cls, dump));
    if (row.kind === 'pixels' && hover.position !== null) {
      out.push(...sampleReading(stage, row.cls, hover.position, dump));
    }
    if (row.kind === 'flips' && dump !== null) out.push(...flipsReading(stage, row.cls, dump));
    if (row.kind === 'taken' && dump !== null) out.push(...takenReading(stage, row.cls, row.index, dump));
  }
  if (row && row.kind !== 'cluster') out.push(...anomalyReading(stage, row.cls, hover));
  return out;
}

function overallReading(stage: StageState, dump: number | null): [string, string][] {
  const overall = stage.run.overall.value;
  if (!overall || dump === null) return [];
  return [
    ['Validation error', preciseText(overall.validation.at(0, dump))],
    ['Training error', preciseText(overall.training.at(0, dump))],
  ];
}

function learningRateReading(stage: StageState, iteration: number): [string, string][] {
  const stages = stage.run.info.value?.lr_stages ?? [];
  const at = stages.findLastIndex((s) => s.first <= iteration);
  return at < 0 ? [] : [['Learning rate', `${stageRateText(stages[at])} · stage ${at + 1}`]];
}

function preciseText(share: number): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(2)} %` : '–';
}

function clusterReading(stage: StageState, cluster: number, dump: number | null): [string, string][] {
  const value = stage.data.clusters.value;
  const facts = stage.clusterFacts[cluster];
  if (!value || !facts) return [];
  const out: [string, string][] = [
    ['Cluster', `${cluster + 1} · ${countText(facts.classes, 'class', 'classes')}`],
  ];
  if (dump !== null && dump < value.dumps) {
    out.push(['Mean error', preciseText(value.curves[cluster * value.dumps + dump])]);
  }
  out.push(['Anomalies', String(facts.anomalies)]);
  return out;
}

function classReading(stage: StageState, cls: number, dump: number | null): [string, string][] {
  const out: [string, string][] = [['Class', stage.data.nameOf(cls)]];
  const errors = stage.classErrors;
  const column = errors && dump !== null ? columnOf(errors.detail, dump) : -1;
  if (!errors || column < 0) return out;
  const { detail, error, highest } = errors;
  if (detail.level === 1) {
    out.push(['Error rate', errorText(error.at(cls, column), stage.run.info.value?.class_sizes[cls] ?? 0)]);
  } else {
    const of = dumpsOf(detail, column);
    out.push(['Column', iterationsText(stage.run.iterations, of)], ['Dumps', String(of[1] - of[0])]);
    out.push(['Error rate', `mean ${percentText(shareOf(error.at(cls, column)))}`]);
    out.push(['Highest', percentText(shareOf(highest.at(cls, column)))]);
  }
  return out;
}

function errorText(cell: number, size: number): string {
  const { share, count } = countedShare(cell, size);
  if (Number.isNaN(share)) return 'not recorded';
  return count === null ? percentText(share) : `${percentText(share)} · ${count} of ${size}`;
}

function sampleReading(
  stage: StageState,
  cls: number,
  position: number,
  dump: number | null,
): [string, string][] {
  const opened = stage.openedFacts(cls);
  const sample = sampleAt(stage, cls, position);
  if (!opened || sample === null) return [];
  const { names, labels, error, detail } = opened.samples;
  const row = opened.order[position];
  const out: [string, string][] = [['Sample', names[row] ?? String(sample)]];
  const column = dump === null ? -1 : columnOf(detail, dump);
  if (column < 0) return out;
  if (labels) {
    const label = labels.at(row, column);
    const name = label < 0 ? 'not recorded' : stage.data.nameOf(label);
    out.push(['Predicted', label === cls ? `${name} (correct)` : name]);
  } else {
    const cell = error.at(row, column);
    out.push(['Wrong at', cell === 0 ? 'not recorded' : `${percentText(shareOf(cell))} of the dumps`]);
  }
  return out;
}

function flipsReading(stage: StageState, cls: number, dump: number): [string, string][] {
  const samples = stage.openedFacts(cls)?.samples;
  const column = samples ? columnOf(samples.detail, dump) : -1;
  if (!samples || column < 0) return [];
  const name = samples.detail.level > 1 ? 'Most flips left · right' : 'Flips left · right';
  return [[name, `${samples.left[column]} · ${samples.right[column]}`]];
}

function takenReading(stage: StageState, cls: number, index: number, dump: number): [string, string][] {
  const taken = stage.openedFacts(cls)?.taken;
  const column = taken ? columnOf(taken.detail, dump) : -1;
  if (!taken || column < 0) return [];
  const label = taken.labels[index];
  const name = label === undefined ? 'other classes' : stage.data.nameOf(label);
  const count = taken.counts[index][column];
  const known = taken.known[column];
  const words = taken.detail.level > 1 ? `mean ${percentText(count / known)}` : `${count} of ${known}`;
  return [[`Taken for ${name}`, words]];
}

/** How many the class has, and both scores of the one here: under a glyph its strongest, else the one at this dump. */
function anomalyReading(stage: StageState, cls: number, { glyph, dump }: Hover): [string, string][] {
  const list = stage.store.v.anomalies ? stage.data.anomaliesByClass?.get(cls) : undefined;
  const here = glyph?.members ?? list?.filter((a) => a.dump === dump) ?? [];
  const count = list?.length ?? 0;
  const out: [string, string][] = [
    ['Anomalies', here.length > 1 ? `${count}, here ${here.length}` : `${count}`],
  ];
  if (here.length === 0) return out;
  const best = here.reduce((a, b) => (scoreOf(b) > scoreOf(a) ? b : a));
  out.push(['Score here, left rule', wholePercentText(best.left)]);
  out.push(['Score here, right rule', wholePercentText(best.right)]);
  if (best.pending > 0.005) out.push(['Right rule pending', wholePercentText(best.pending)]);
  return out;
}
