import { countAt, errorOf, type ConfusionTable } from '../../kernel/confusion.ts';
import { iterationText, percentText, stageRateText } from '../../kernel/format.ts';
import { MISSING } from '../../kernel/labels.ts';
import type { Hover } from './hit.ts';
import type { ConfusionStage } from './stage.svelte.ts';

/** The exact values under the pointer or the keyboard's cursor, as pairs of label and value. */
export type Reading = readonly (readonly [string, string])[];

export function readingOf(stage: ConfusionStage, hover: Hover | null): Reading {
  if (!hover) return [];
  if (hover.area === 'scrub') return hover.dump === null ? [] : dumpReading(stage, hover.dump);
  const { matrix } = stage;
  const table = stage.data.table.value;
  if (!matrix || !table) return [];
  const cls = hover.row === null ? undefined : matrix.rows[hover.row];
  const label = hover.column === null ? undefined : matrix.columns[hover.column];
  const out: [string, string][] = [];
  if (cls !== undefined) out.push(['True class', stage.data.nameOf(cls)]);
  if (label !== undefined) out.push(['Taken for', stage.data.nameOf(label)]);
  if (cls !== undefined && label !== undefined) {
    if (label >= MISSING - 1) out.push(...cellReading(table, cls, label));
    const isPair = label >= 0 && label !== cls && label < table.offsets.length - 1;
    if (isPair) out.push(['The other way', samplesText(table, label, cls)]);
  }
  if (cls !== undefined) out.push(...errorReading(table, cls, `Wrong of ${stage.data.nameOf(cls)}`));
  else if (label !== undefined && label >= 0)
    out.push(['Taken for it in all', String(columnSum(table, label))]);
  return out;
}

function cellReading(table: ConfusionTable, cls: number, label: number): [string, string][] {
  const now = countAt(table, cls, label);
  const share = now.of > 0 ? now.count / now.of : Number.NaN;
  const out: [string, string][] = [['Samples', `${samplesText(table, cls, label)} · ${percentText(share)}`]];
  if (table.before) {
    const was = countAt(table, cls, label, 'before');
    const change = was.of > 0 && now.of > 0 ? share - was.count / was.of : Number.NaN;
    out.push(['Change', Number.isNaN(change) ? '–' : signedPercent(change)]);
  }
  return out;
}

/** `7 of 50`, or of two dumps `3 → 7 of 50`. */
export function samplesText(table: ConfusionTable, cls: number, label: number): string {
  const { count, of } = countAt(table, cls, label);
  const before = table.before ? `${countAt(table, cls, label, 'before').count} → ` : '';
  return `${before}${count} of ${of}`;
}

export function signedPercent(share: number): string {
  const text = percentText(Math.abs(share));
  return share === 0 ? text : `${share > 0 ? '+' : '\u2212'}${text}`;
}

function errorReading(table: ConfusionTable, cls: number, label: string): [string, string][] {
  const before = table.before ? `${percentText(errorOf(table, cls, 'before'))} → ` : '';
  return [[label, before + percentText(errorOf(table, cls))]];
}

function columnSum({ predicted, count }: ConfusionTable, label: number): number {
  let sum = 0;
  for (let i = 0; i < predicted.length; i++) if (predicted[i] === label) sum += count[i];
  return sum;
}

function dumpReading(stage: ConfusionStage, dump: number): [string, string][] {
  const { run } = stage;
  const iteration = run.iterations[dump];
  const overall = run.overall.value;
  if (iteration === undefined || !overall) return [];
  const out: [string, string][] = [['Iteration', `${iterationText(iteration)} · dump ${dump}`]];
  const stages = run.info.value?.lr_stages ?? [];
  const at = stages.findLastIndex((one) => one.first <= iteration);
  if (at >= 0) out.push(['Learning rate', `${stageRateText(stages[at])} · stage ${at + 1}`]);
  out.push(['Validation error', percentText(overall.validation.at(0, dump))]);
  out.push(['Training error', percentText(overall.training.at(0, dump))]);
  return out;
}
