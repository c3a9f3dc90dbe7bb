import type { Anomaly } from '../../kernel/anomalies.ts';
import type { Axis } from '../../kernel/axis.ts';
import type { Lut, Theme } from '../../kernel/colour.ts';
import type { Columns } from '../../kernel/columns.ts';
import type { Layout, Row, PixelsRow } from '../../kernel/layout.ts';
import type { TakenCounts } from '../../kernel/predictions.ts';
import type { SetView } from '../../kernel/suggested.ts';
import type { ClassErrors, ClassSamples, LearningRateStage, Overall, TakenFor } from '../../source.ts';

/** All that one picture of the Validation view is drawn from; plain values, so that screen and export draw alike. */
export interface OpenedFacts {
  /** The finest that are here of the dumps that are shown. */
  readonly samples: ClassSamples;
  readonly order: Int32Array;
  readonly taken: TakenFor | null;
  /** What they are taken for at the newest dump. */
  readonly final: TakenCounts | null;
}

export interface ClusterFacts {
  readonly classes: number;
  readonly shown: number;
  readonly final: number;
  readonly anomalies: number;
}

export interface Scene {
  readonly theme: Theme;
  readonly errorLut: Lut;
  readonly pixelLut: Lut;
  readonly countLut: Lut;
  readonly width: number;
  readonly height: number;
  readonly axis: Axis;
  readonly axisY: number;
  readonly scroll: number;
  readonly layout: Layout;
  readonly view: SetView;
  readonly overall: Overall;
  readonly stages: readonly LearningRateStage[];
  readonly names: readonly string[];
  readonly classErrors: ClassErrors | null;
  /** How many dumps a column of a class stands for, in words; empty where it is one. */
  readonly level: string;
  readonly clusterCells: Columns<Uint8Array> | null;
  readonly clusterFacts: readonly ClusterFacts[];
  readonly final: Float32Array;
  readonly anomalies: ReadonlyMap<number, readonly Anomaly[]> | null;
  readonly opened: (cls: number) => OpenedFacts | null;
  readonly chartTop: (cls: number) => number;
}

export const HEAD = { chartY: 18, chartH: 74, barY: 100, height: 130 } as const;
export const AXIS_HEIGHT = 26;
export const LEGEND_HEIGHT = 26;
/** Left edge and right gutter of the plot; a narrow stage gets narrower ones. */
export const MARGINS = {
  left: 236,
  right: 210,
  leftNarrow: 200,
  rightNarrow: 142,
  narrowBelow: 1120,
} as const;
export const THUMBNAIL = { size: 54, gap: 8, pitchY: 72, x: 14 } as const;

export function marginsOf(width: number): { left: number; right: number } {
  const narrow = width < MARGINS.narrowBelow;
  return narrow ? { left: MARGINS.leftNarrow, right: MARGINS.rightNarrow } : MARGINS;
}

/** Screen height of a content height. */
export function screenY(scene: { scroll: number }, y: number): number {
  return HEAD.height + y - scene.scroll;
}

export function rowKey(row: Row): string {
  return row.kind === 'cluster'
    ? `cluster ${row.cluster}`
    : row.kind === 'taken'
      ? `taken ${row.cls} ${row.index}`
      : `${row.kind} ${row.cls}`;
}

/** Height of a sample's row on the screen: a small class fills its chart. */
export function sampleHeight(row: PixelsRow): number {
  return row.samples * row.rowHeight < row.h ? row.h / Math.max(1, row.samples) : row.rowHeight;
}

export function largestTop(row: PixelsRow): number {
  return Math.max(0, row.samples - row.h / sampleHeight(row));
}
