import type { Axis } from '../../kernel/axis.ts';
import type { BoxBin } from '../../kernel/boxes.ts';
import type { Curve, Detail, Reading } from '../../kernel/detail.ts';
import type { Theme } from '../../kernel/colour.ts';
import type { LayerLayout, FiltersRow } from '../../kernel/layer_layout.ts';
import type { Network } from '../../kernel/network.ts';
import type { HorizonScale, Scale } from '../../kernel/series.ts';
import type { Spine } from '../../kernel/spine.ts';
import { SPINE, type SpineGeometry } from '../../kernel/spine_geometry.ts';
import type { View } from '../../kernel/view_state.ts';
import type { FilterChart } from '../../marks/filter_chart.ts';
import type { Surface } from '../../marks/surface.ts';
import type { LearningRateStage } from '../../source.ts';

/** How the charts of one picture are scaled: one scale for all, or one for each. */
export interface Scales {
  readonly line: (node: number) => Scale;
  readonly horizon: (node: number) => HorizonScale;
}

/** The filters of a layer, and what their columns are. */
export interface LayerFilters extends FilterChart {
  readonly detail: Detail;
}

/** All that one picture of the Layer view is drawn from; plain values, so that screen and export draw alike. */
export interface Scene {
  readonly theme: Theme;
  readonly width: number;
  readonly height: number;
  readonly axis: Axis;
  readonly axisY: number;
  readonly scroll: number;
  /** How far the spine of a deep network is scrolled. */
  readonly spineScroll: number;
  readonly layout: LayerLayout;
  readonly network: Network;
  readonly spine: Spine;
  readonly view: View;
  readonly stages: readonly LearningRateStage[];
  /** What a place on the axis is. */
  readonly unit: 'dump' | 'iteration';
  /** Marks of dumps that have a flight, or of where it began to go wrong in one. */
  readonly drawFlights: (surface: Surface, scene: Scene) => void;
  /** What the columns of the charts are; null until they have come. */
  readonly detail: Detail | null;
  /** The measure of a node over the dumps; null until it has come. */
  readonly curve: (node: number) => Curve | null;
  readonly readingAt: (node: number, dump: number) => Reading | null;
  readonly bins: (node: number) => readonly BoxBin[] | null;
  readonly scales: Scales;
  /** What the boxes are of: filters, weights or gradients. */
  readonly boxesOf: string;
  /** The pixel chart of an unfolded layer with its top edge at y on the screen; null until it has come. */
  readonly filterChart: (row: FiltersRow, y: number) => LayerFilters | null;
  readonly isShown: (node: number) => boolean;
  /** The filters of the finding that is looked at. */
  readonly found: { readonly layer: number; readonly filters: readonly number[] } | null;
}

/** What hangs on the dump that is looked at. */
export interface Focus {
  readonly dump: number;
  /** Top filters in each layer; null where they are not asked for or not here. */
  readonly counts: Int32Array | null;
  /** Colour of a layer by the measure's value. */
  readonly fill: ((layer: number) => string) | null;
  /** Numbers of a layer's filters among the top filters. */
  readonly top: (layer: number) => readonly number[];
}

export const HEAD = { titleY: 17, barY: 30, height: 58 } as const;
/** Marks of flights lie on the bar of the learning rate. */
export const FLIGHT_Y = HEAD.barY + 1;
export const AXIS_HEIGHT = 26;
export const LEGEND_HEIGHT = 26;
export const HANDLE = { module: 32, block: 20, layer: 10, gap: 10 } as const;
const MARGINS = { left: 420, right: 128, leftNarrow: 336, rightNarrow: 112, narrowBelow: 1120 } as const;
/** Labels of charts have this much room to the left of the plot, handle included. */
const LABELS = { wide: 176, narrow: 150 } as const;

export function marginsOf(width: number): { left: number; right: number } {
  const narrow = width < MARGINS.narrowBelow;
  return narrow ? { left: MARGINS.leftNarrow, right: MARGINS.rightNarrow } : MARGINS;
}

/** Where links end: the common left edge of all labels. */
export function labelsX(axis: Axis): number {
  return axis.x0 - (axis.x0 >= MARGINS.left ? LABELS.wide : LABELS.narrow);
}

export function geometryOf(scene: { spineScroll: number }): SpineGeometry {
  return { ...SPINE, y: HEAD.height - scene.spineScroll };
}

/** Right edge of the level bars. */
export function barsEnd(spine: Spine): number {
  return SPINE.barsX + spine.barsWidth;
}

/** Screen height of a content height. */
export function screenY(scene: { scroll: number }, y: number): number {
  return HEAD.height + y - scene.scroll;
}

/** The spine ends above the lower edge of the stage. */
export function spineBottom(scene: { height: number }): number {
  return scene.height - 8;
}
