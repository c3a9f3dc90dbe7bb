import type { Axis, DumpSpan } from '../../kernel/axis.ts';
import type { Lut, Theme } from '../../kernel/colour.ts';
import type { Limits } from '../../kernel/correlation_limits.ts';
import type { CorrelationModel } from '../../kernel/correlation_model.ts';
import { pitches, type Point } from '../../kernel/affine.ts';
import type { FaceName, Layout, Placement, Sizes } from '../../kernel/cube_geometry.ts';
import type { Network } from '../../kernel/network.ts';
import type { Spine } from '../../kernel/spine.ts';
import type { SpineGeometry } from '../../kernel/spine_geometry.ts';
import type { Rule, View } from '../../kernel/view_state.ts';
import type { ClassErrors, CorrelationRows, LearningRateStage, Overall } from '../../source.ts';
import type { PlacedGlyph } from './glyphs.ts';
import type { ClassLabel, LayerLabel } from './labels.ts';

/** What the faces are drawn from; it stays the same while they only move. */
export interface FaceScene {
  readonly theme: Theme;
  readonly model: CorrelationModel;
  readonly limits: Limits;
  /** The dumps that are shown, [d0, d1). */
  readonly zoom: DumpSpan;
  readonly rows: CorrelationRows | null;
  readonly errors: ClassErrors | null;
  readonly changeLut: Lut;
  readonly errorLut: Lut;
  readonly countLut: Lut;
}

/** All that one picture of the cube is drawn from; plain values, so that screen and export draw alike. */
export interface Scene extends FaceScene {
  readonly width: number;
  readonly height: number;
  /** The layout that is shown, or being gone to. */
  readonly layout: Layout;
  /** Where everything lies now, also on the way. */
  readonly placement: Placement;
  readonly sizes: Sizes;
  readonly iterations: Float64Array;
  /** The axis of the overall error, and of the front where it is shown. */
  readonly axis: Axis;
  /** Where the labels of that axis hang. */
  readonly axisY: number;
  readonly view: View;
  /** What makes an anomaly iteration in the answer that is drawn. */
  readonly threshold: number;
  readonly rule: Rule;
  readonly overall: Overall | null;
  readonly stages: readonly LearningRateStage[];
  readonly network: Network | null;
  /** As high as the rows. */
  readonly spine: Spine | null;
  readonly layerLabels: readonly LayerLabel[];
  readonly classLabels: readonly ClassLabel[];
  readonly glyphs: readonly PlacedGlyph[];
  readonly legend: boolean;
  readonly measure: string;
  nameOf(cls: number): string;
  layerName(layer: number): string;
  /** The layer of a node of the hierarchy; null for a module. */
  layerOfNode(node: number): number | null;
}

export const AXIS_HEIGHT = 24;
export const SPINE_LEFT = { arcsX: 8, x: 16, width: 18, barsX: 38 } as const;

/** The upper edge of the rows, and how high they are together. */
export function rowsBox({ placement }: Pick<Scene, 'placement'>): { readonly y: number; readonly h: number } {
  const { f, d } = placement.faces.right.matrix;
  return { y: f, h: d };
}

export function spineGeometry(scene: Pick<Scene, 'placement'>): SpineGeometry {
  return { ...SPINE_LEFT, y: rowsBox(scene).y };
}

/** Pixels of the stage to a unit of the rows. */
export function rowScale(scene: Pick<Scene, 'placement' | 'sizes'>): number {
  return rowsBox(scene).h / scene.sizes.rows;
}

/** How large a face is drawn before its matrix lays it down: as long as its edges are on the stage. */
export function panelSize(placement: Placement, face: FaceName): Point {
  const [w, h] = pitches(placement.faces[face].matrix);
  return [Math.max(1, Math.round(w)), Math.max(1, Math.round(h))];
}
