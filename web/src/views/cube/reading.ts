import { columnOf, dumpsOf, iterationsText } from '../../kernel/detail.ts';
import { countedShare, shareOf } from '../../kernel/colour.ts';
import type { CorrelationIndex, Pair } from '../../kernel/correlation.ts';
import { countText, decimalText, iterationText, percentText, wholePercentText } from '../../kernel/format.ts';
import { measureText } from '../../kernel/measures.ts';
import type { ClassErrors, CorrelationRows, Overall } from '../../source.ts';
import type { CubeStage } from './cube_stage.svelte.ts';
import type { CubeHover } from './hit.ts';

/**
 * The values under the pointer or the keyboard's cursor, as pairs of label and value: the same lines on every face, each
 * where the face knows it, so that one can be followed over the edges.
 */
export type Reading = readonly (readonly [string, string])[];

/** What is read from. */
export interface Readable {
  readonly iterations: ArrayLike<number>;
  readonly index: CorrelationIndex | null;
  readonly rows: CorrelationRows | null;
  readonly errors: ClassErrors | null;
  readonly overall: Overall | null;
  readonly classSizes: readonly number[];
  readonly measure: string;
  nameOf(cls: number): string;
  layerName(layer: number): string;
}

/** What the panel and a screen reader say of the place of the pointer. */
export function readingOn(stage: CubeStage): Reading {
  const { data, run } = stage;
  const readable = {
    iterations: run.iterations,
    index: data.index,
    rows: stage.rows,
    errors: data.errors.over(stage.zoom),
    overall: run.overall.value,
    classSizes: run.info.value?.class_sizes ?? [],
    measure: data.shown?.correlation.settings.measure ?? stage.store.v.distance,
    nameOf: (cls: number) => data.nameOf(cls),
    layerName: (layer: number) => data.layerName(layer),
  };
  return readingOf(readable, stage.hover);
}

export function readingOf(from: Readable, hover: CubeHover | null): Reading {
  if (!hover) return [];
  return [
    ...timeReading(from, hover),
    ...classReading(from, hover),
    ...layerReading(from, hover),
    ...setReading(from, hover),
    ...pairReading(from, hover),
    ...countReading(from, hover),
  ];
}

function timeReading({ iterations, overall }: Readable, { place, dump }: CubeHover): [string, string][] {
  if (dump === null || dump >= iterations.length) return [];
  const out: [string, string][] = [['Iteration', `${iterationText(iterations[dump])} · dump ${dump}`]];
  if (overall && (place === 'chart' || place === 'axis')) {
    out.push(['Validation error', percentText(overall.validation.at(0, dump))]);
    out.push(['Training error', percentText(overall.training.at(0, dump))]);
  }
  return out;
}

function classReading(from: Readable, { cls, column, dump }: CubeHover): [string, string][] {
  if (cls === null) return [];
  const { index } = from;
  const out: [string, string][] = [['Class', from.nameOf(cls)], ...errorReading(from, cls, dump)];
  const place = index?.classPlace(cls) ?? null;
  if (!index || place === null) return out;
  out.push(['Anomaly iterations', String(index.jumpsOf(place).length)]);
  const here = column ?? (dump === null ? null : index.columnOf(place, dump));
  if (here !== null) {
    const { columnLeft, columnRight } = index.table;
    out.push([
      'Left · right rule',
      `${wholePercentText(columnLeft[here])} · ${wholePercentText(columnRight[here])}`,
    ]);
  }
  return out;
}

function errorReading(
  { errors, classSizes, iterations }: Readable,
  cls: number,
  dump: number | null,
): [string, string][] {
  const column = errors && dump !== null ? columnOf(errors.detail, dump) : -1;
  if (!errors || column < 0 || column >= errors.error.length || cls >= errors.error.rows) return [];
  const { error, highest, detail } = errors;
  if (detail.level === 1) {
    const { share } = countedShare(error.at(cls, column), classSizes[cls] ?? 0);
    return [['Error rate', Number.isNaN(share) ? 'not recorded' : percentText(share)]];
  }
  return [
    ['Error rate, mean', percentText(shareOf(error.at(cls, column)))],
    ['Highest', percentText(shareOf(highest.at(cls, column)))],
    ['Column', iterationsText(iterations, dumpsOf(detail, column))],
  ];
}

function layerReading(from: Readable, { layer, filter }: CubeHover): [string, string][] {
  if (layer === null) return [];
  const out: [string, string][] = [['Layer', from.layerName(layer)]];
  if (filter !== null) out.push(['Filter', `#${filter}`]);
  return out;
}

function setReading(from: Readable, { set, layer, filter, dump }: CubeHover): [string, string][] {
  const { index, measure } = from;
  if (!index || set === null) return [];
  const moved = movedAt(from, { set, layer, filter }, dump);
  const words = setWords(index, set);
  return [
    ...(moved === null ? [] : ([[measureText(measure).label, moved]] as [string, string][])),
    ['Mini-set', words.size],
    ['Appears in', words.appears],
  ];
}

/** What is said of a mini-set wherever it is named. */
export function setWords(index: CorrelationIndex, set: number): { size: string; appears: string } {
  return {
    size: countText(index.table.setSize[set], 'filter'),
    appears: `${index.dumpsOf(set).length} it. · ${countText(index.pairsOf(set).length, 'class', 'classes')}`,
  };
}

/** How far the row under the pointer moved at a dump, as a share of the farthest it ever moved. */
function movedAt(
  { rows, index }: Readable,
  { set, layer, filter }: Pick<CubeHover, 'set' | 'layer' | 'filter'>,
  dump: number | null,
): string | null {
  const column = rows && dump !== null ? columnOf(rows.detail, dump) : -1;
  if (!rows || !index || column < 0) return null;
  const row = rowOf(index, rows.by, { set, layer, filter });
  if (row === null) return null;
  const cell = rows.cells[row * rows.columns + column];
  return cell === 0 ? 'not recorded' : `${wholePercentText((cell - 1) / 254)} of its largest`;
}

/** The row of the Layer view's face: of a filter of the mini-set, of the mini-set, or of its layer. */
export function rowOf(
  index: CorrelationIndex,
  by: CorrelationRows['by'],
  { set, layer, filter }: { set: number | null; layer: number | null; filter: number | null },
): number | null {
  if (by === 'layer') return layer === null ? null : index.layerPlace(layer);
  if (by === 'set' || set === null) return set;
  const [from, to] = index.rowsOf(set);
  for (let row = from; row < to; row++) if (index.table.filters[row] === filter) return row;
  return from;
}

function pairReading({ index }: Readable, { set, cls }: CubeHover): [string, string][] {
  const place = cls === null ? null : (index?.classPlace(cls) ?? null);
  if (!index || set === null || place === null) return [];
  const pair = index.pairOf(set, place);
  if (!pair) return [];
  return [
    [
      'Hits',
      `${pair.hits} of ${index.jumpsOf(place).length}${pair.q <= index.table.level ? ', beyond chance' : ''}`,
    ],
    ['p · q', `${probabilityText(pair.p)} · ${probabilityText(pair.q)}`],
  ];
}

/** "p 0.0002 · q 0.01, beyond chance". */
export function chanceText(pair: Pick<Pair, 'p' | 'q'>, level: number): string {
  return `p ${probabilityText(pair.p)} · q ${probabilityText(pair.q)}, ${pair.q <= level ? 'beyond chance' : 'may be chance'}`;
}

export function probabilityText(p: number): string {
  if (p >= 0.995) return '1';
  if (p >= 0.01) return decimalText(p);
  if (p >= 0.001) return decimalText(p, 3);
  return p > 0 ? p.toExponential(0) : '< 1e-38';
}

function countReading({ index }: Readable, { layer, cls, place, set }: CubeHover): [string, string][] {
  if (!index || place !== 'right' || layer === null || cls === null || set !== null) return [];
  const [row, column] = [index.layerPlace(layer), index.classPlace(cls)];
  if (row === null || column === null) return [];
  return [['Anomaly filters', String(index.table.counts[row * index.table.classes.length + column])]];
}
