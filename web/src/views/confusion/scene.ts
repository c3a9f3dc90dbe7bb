import type { Axis } from '../../kernel/axis.ts';
import type { Lut, Theme } from '../../kernel/colour.ts';
import type { ConfusionTable, Entries, Group, Matrix } from '../../kernel/confusion.ts';
import type { MatrixLuts, MatrixWindow } from '../../kernel/confusion_raster.ts';
import type { LearningRateStage, Overall } from '../../source.ts';

/** All that one picture of the Confusion view is drawn from; plain values, so that screen and export draw alike. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Places {
  /** As many cells from left to right as from top to bottom. */
  readonly matrix: Box;
  /** Names above columns are turned where they have no room. */
  readonly turned: boolean;
  /** Where the share of wrong samples of each row is drawn, and the brackets of clusters. */
  readonly errorX: number;
  readonly groupX: number;
  /** What is told beside the matrix. */
  readonly drawer: Box;
  readonly scrubY: number;
}

export interface Scene {
  readonly theme: Theme;
  readonly width: number;
  readonly height: number;
  readonly places: Places;
  readonly axis: Axis;
  readonly overall: Overall;
  readonly stages: readonly LearningRateStage[];
  readonly marks: readonly number[];
  readonly table: ConfusionTable | null;
  readonly matrix: Matrix | null;
  readonly entries: Entries | null;
  readonly window: MatrixWindow;
  readonly isZoomed: boolean;
  /** Two dumps are compared. */
  readonly isChange: boolean;
  readonly groups: readonly Group[];
  readonly luts: MatrixLuts;
  readonly errorLut: Lut;
  readonly nameOf: (label: number) => string;
}

/** From the scrubber's top. */
export const SCRUB = { chartY: 6, chartH: 46, barY: 58, axisY: 78, height: 106 } as const;
export const LEGEND_HEIGHT = 26;
export const MARGINS = { left: 148, right: 118, leftNarrow: 126, narrowBelow: 1120 } as const;
const ERROR_WIDTH = 58;
const GROUP_WIDTH = 82;
const DRAWER = { least: 250, share: 0.27, most: 620, gap: 22, edge: 16 } as const;
const NAME = { longest: 16, pixels: 5.7, turned: 0.77 } as const;
const TOP = { level: 40, turnedLeast: 52 } as const;
const SMALLEST = 160;
/** Of few classes the matrix need not fill the stage. */
const LARGEST_CELL = 110;

export function marginsOf(width: number): { left: number; right: number } {
  return { left: width < MARGINS.narrowBelow ? MARGINS.leftNarrow : MARGINS.left, right: MARGINS.right };
}

/** Where everything lies on a stage of this size, for names at most so long. */
export function placesOf(
  width: number,
  height: number,
  facts: { readonly cells: number; readonly longestName: number; readonly hasGroups: boolean },
): Places {
  const { left } = marginsOf(width);
  const scrubY = height - SCRUB.height;
  const longest = Math.min(NAME.longest, facts.longestName) * NAME.pixels;
  const besides = ERROR_WIDTH + (facts.hasGroups ? GROUP_WIDTH : 0) + DRAWER.gap + DRAWER.edge;
  const across = width - left - besides - Math.max(DRAWER.least, width * DRAWER.share);
  const most = Math.max(SMALLEST, LARGEST_CELL * facts.cells);
  const room = (top: number) => Math.max(SMALLEST, Math.floor(Math.min(most, across, scrubY - top - 14)));
  const turned = longest + 8 > room(TOP.level) / Math.max(1, facts.cells);
  const top = turned ? Math.max(TOP.turnedLeast, Math.round(longest * NAME.turned) + 24) : TOP.level;
  const side = room(top);
  const errorX = left + side + 8;
  const groupX = errorX + ERROR_WIDTH;
  const x = groupX + (facts.hasGroups ? GROUP_WIDTH : 0) + DRAWER.gap;
  return {
    matrix: { x: left, y: top, w: side, h: side },
    turned,
    errorX,
    groupX,
    drawer: { x, y: 10, w: Math.min(DRAWER.most, Math.max(0, width - x - DRAWER.edge)), h: scrubY - 18 },
    scrubY,
  };
}

/** Pixels of a cell's side. */
export function stepOf({ places, window }: Pick<Scene, 'places' | 'window'>): number {
  return places.matrix.w / window.cells;
}

export function columnX(scene: Scene, column: number): number {
  return scene.places.matrix.x + (column - scene.window.column) * stepOf(scene);
}

export function rowY(scene: Scene, row: number): number {
  return scene.places.matrix.y + (row - scene.window.row) * stepOf(scene);
}

/** The part of the matrix that has rows and columns. */
export function shownBox(scene: Scene): Box {
  const { x, y, w, h } = scene.places.matrix;
  const { matrix } = scene;
  if (!matrix) return { x, y, w, h };
  const right = Math.min(x + w, columnX(scene, matrix.columns.length));
  const bottom = Math.min(y + h, rowY(scene, matrix.rows.length));
  return { x, y, w: Math.max(0, right - x), h: Math.max(0, bottom - y) };
}

/** Places [from, to) of the rows or columns in sight. */
export function shownPlaces(from: number, cells: number, count: number): [number, number] {
  return [Math.max(0, Math.floor(from)), Math.min(count, Math.ceil(from + cells))];
}
