import type { CorrelationIndex, CorrelationTable } from './correlation.ts';

/**
 * Where does what lie on the face of the correlation, and so along the edges of the cube?
 *
 * 1. Columns: a class is as wide as it has anomaly iterations, 4 units each and a margin of 3 at either side. Where not
 *    all classes are drawn (`Cut`), the others take no room.
 * 2. Rows: a layer is as high as it has rows, 2 units each, with a gap between layers that can be seen on the screen. A
 *    row is a filter, in the order of the answer, so that a mini-set is one band; or a whole mini-set, where rows of
 *    filters would be too thin; or a whole layer.
 * 3. A mini-set hits a column where it appears at its dump and chance does not explain its pair with the class (or is not
 *    asked about): pairs that are left out of the answer have no rectangle.
 */

export type RowsBy = 'filter' | 'set' | 'layer';

/** Which classes and layers are drawn: places in the answer, ascending. */
export interface Cut {
  readonly classes: readonly number[];
  readonly layers: readonly number[];
}

export interface ClassSpan {
  /** Number of the class, and its place in the answer. */
  readonly cls: number;
  readonly place: number;
  readonly x: number;
  readonly width: number;
  /** Its first column in the answer. */
  readonly first: number;
  readonly count: number;
}

export interface LayerSpan {
  /** Number of the layer in the network, and its place in the answer. */
  readonly layer: number;
  readonly place: number;
  readonly y: number;
  readonly height: number;
  /** Its rows from top to bottom, as places in the answer: of filters, of mini-sets, or of the layer. */
  readonly rows: Int32Array;
}

export interface RowHit {
  readonly span: LayerSpan;
  /** Places in the answer; null where a row is more than one of them. */
  readonly filter: number | null;
  readonly set: number | null;
}

/** The rectangles: the columns that mini-set `s` hits are `column[start[s]]` up to `column[start[s + 1]]`, ascending. */
export interface Hits {
  readonly start: Int32Array;
  readonly column: Int32Array;
  /** The most that any mini-set has. */
  readonly most: number;
}

export const COLUMN = 4;
export const CLASS_MARGIN = 3;
export const ROW = 2;
export const RECT = 3.3;
const LAYER_ROW = 24;
const LAYER_GAP = 3;
const LEAST_GAP_PIXELS = 1.2;

export class CorrelationModel {
  readonly table: CorrelationTable;
  readonly classes: readonly ClassSpan[];
  readonly layers: readonly LayerSpan[];
  readonly width: number;
  readonly height: number;
  /** The class of each column, as a place among the drawn ones; -1 where it is not drawn. */
  readonly classOfColumn: Int32Array;
  /** The band of each mini-set; no height where it has none. */
  readonly setY: Float32Array;
  readonly setHeight: Float32Array;
  #hits: Hits | null = null;

  /** `pixels`: how high all rows will be on the screen. */
  constructor(
    readonly index: CorrelationIndex,
    readonly cut: Cut,
    readonly by: RowsBy,
    pixels: number,
  ) {
    const table = index.table;
    this.table = table;
    this.classes = spansOfClasses(table, cut.classes);
    this.classOfColumn = new Int32Array(table.columnDump.length).fill(-1);
    this.classes.forEach(({ first, count }, i) => this.classOfColumn.fill(i, first, first + count));
    const last = this.classes[this.classes.length - 1];
    this.width = last ? last.x + last.width : 1;
    const rows = rowsOfLayers(table, cut, by);
    this.layers = spansOfLayers(table, cut.layers, rows, by, pixels);
    const lowest = this.layers[this.layers.length - 1];
    this.height = lowest ? lowest.y + lowest.height : 1;
    this.setY = new Float32Array(table.setSize.length);
    this.setHeight = new Float32Array(table.setSize.length);
    if (by !== 'layer') this.#placeSets();
  }

  #placeSets(): void {
    for (const { y, rows } of this.layers) {
      rows.forEach((row, i) => {
        const set = this.by === 'set' ? row : this.table.filterSet[row];
        if (this.setHeight[set] === 0) this.setY[set] = y + i * ROW;
        this.setHeight[set] += ROW;
      });
    }
  }

  get hits(): Hits {
    this.#hits ??= hitsOf(this);
    return this.#hits;
  }

  /** The columns that a mini-set hits. */
  hitsOf(set: number): Int32Array {
    const { start, column } = this.hits;
    return column.subarray(start[set], start[set + 1]);
  }

  isHit(set: number, column: number): boolean {
    return this.hitsOf(set).includes(column);
  }

  /** The middle of a column. */
  columnX(column: number): number {
    const { x, first } = this.classes[this.classOfColumn[column]];
    return x + CLASS_MARGIN + (column - first + 0.5) * COLUMN;
  }

  classAt(x: number): ClassSpan | null {
    const at = lastFrom(this.classes.length, (i) => this.classes[i].x <= x);
    const span = this.classes[at];
    return span && x < span.x + span.width ? span : null;
  }

  /** The column nearest to x, of the class that lies there. */
  columnAt(x: number): number | null {
    const span = this.classAt(x);
    if (!span || span.count === 0) return null;
    const within = Math.floor((x - span.x - CLASS_MARGIN) / COLUMN);
    return span.first + Math.max(0, Math.min(span.count - 1, within));
  }

  /** Null in the gap between two layers. */
  rowAt(y: number): RowHit | null {
    const at = lastFrom(this.layers.length, (i) => this.layers[i].y <= y);
    const span = this.layers[at];
    if (!span || y >= span.y + span.height) return null;
    const row = span.rows[Math.floor(((y - span.y) / span.height) * span.rows.length)];
    if (this.by === 'layer') return { span, filter: null, set: null };
    if (this.by === 'set') return { span, filter: null, set: row };
    return { span, filter: row, set: this.table.filterSet[row] };
  }

  spanOfLayer(layer: number): LayerSpan | null {
    return this.layers.find((span) => span.layer === layer) ?? null;
  }

  spanOfClass(cls: number): ClassSpan | null {
    return this.classes.find((span) => span.cls === cls) ?? null;
  }

  /** The middle of a filter's row, where each filter has one. */
  filterY(filter: number): number | null {
    if (this.by !== 'filter') return null;
    const span = this.layers.find(({ rows }) => filter >= rows[0] && filter <= rows[rows.length - 1]);
    const at = span ? span.rows.indexOf(filter) : -1;
    return span && at >= 0 ? span.y + (at + 0.5) * ROW : null;
  }

  /** All drawn mini-sets from top to bottom. */
  get sets(): Int32Array {
    return Int32Array.from(this.setHeight.keys()).filter((set) => this.setHeight[set] > 0);
  }
}

/** The last of `count` places that fulfils what all before it fulfil; -1 where none does. */
function lastFrom(count: number, holds: (i: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function spansOfClasses(table: CorrelationTable, places: readonly number[]): ClassSpan[] {
  let x = 0;
  return places.map((place) => {
    const first = table.classOffsets[place];
    const count = table.classOffsets[place + 1] - first;
    const width = COLUMN * count + 2 * CLASS_MARGIN;
    const span = { cls: table.classes[place], place, x, width, first, count };
    x += width;
    return span;
  });
}

/** Mini-sets that appear in none of the drawn classes are left out with the classes. */
function drawnSets({ setSize, pairSet, pairClass, classes }: CorrelationTable, cut: Cut): Uint8Array {
  const drawn = new Uint8Array(setSize.length);
  if (cut.classes.length === classes.length) return drawn.fill(1);
  const isDrawn = new Uint8Array(classes.length);
  for (const place of cut.classes) isDrawn[place] = 1;
  for (let i = 0; i < pairSet.length; i++) if (isDrawn[pairClass[i]]) drawn[pairSet[i]] = 1;
  return drawn;
}

/** Of each table the rows of its newest cut: a picture asks for them several times. */
const known = new WeakMap<CorrelationTable, { cut: Cut; rows: Partial<Record<RowsBy, Int32Array[]>> }>();

/** The rows of each drawn layer, as places in the answer. */
export function rowsOfLayers(table: CorrelationTable, cut: Cut, by: RowsBy): readonly Int32Array[] {
  let held = known.get(table);
  if (held?.cut !== cut) known.set(table, (held = { cut, rows: {} }));
  return (held.rows[by] ??= placesOfRows(table, cut, by));
}

function placesOfRows(table: CorrelationTable, cut: Cut, by: RowsBy): Int32Array[] {
  if (by === 'layer') return cut.layers.map((place) => Int32Array.of(place));
  const drawn = drawnSets(table, cut);
  return cut.layers.map((place) => {
    const [from, to] = [table.layerOffsets[place], table.layerOffsets[place + 1]];
    const filters = Int32Array.from({ length: to - from }, (_, i) => from + i);
    const kept = filters.filter((filter) => drawn[table.filterSet[filter]] === 1);
    if (by === 'filter') return kept;
    return Int32Array.from(new Set(kept.map((filter) => table.filterSet[filter])));
  });
}

function rowUnits(by: RowsBy): number {
  return by === 'layer' ? LAYER_ROW : ROW;
}

/** The gap between layers, in units: never thinner than can be seen. */
function gapUnits(units: number, layers: number, pixels: number): number {
  const gaps = Math.max(0, layers - 1);
  const room = pixels - LEAST_GAP_PIXELS * gaps;
  return room > 0 ? Math.max(LAYER_GAP, (LEAST_GAP_PIXELS * units) / room) : LAYER_GAP;
}

/** How many pixels of the screen a row of its kind gets. */
export function rowPixels(rows: readonly Int32Array[], by: RowsBy, pixels: number): number {
  const units = rowUnits(by) * rows.reduce((sum, some) => sum + some.length, 0);
  const gaps = Math.max(0, rows.length - 1) * gapUnits(units, rows.length, pixels);
  return units > 0 ? (rowUnits(by) * pixels) / (units + gaps) : 0;
}

function spansOfLayers(
  table: CorrelationTable,
  places: readonly number[],
  rows: readonly Int32Array[],
  by: RowsBy,
  pixels: number,
): LayerSpan[] {
  const drawn = places.map((place, i) => ({ place, rows: rows[i] })).filter((one) => one.rows.length > 0);
  const unit = rowUnits(by);
  const units = unit * drawn.reduce((sum, one) => sum + one.rows.length, 0);
  const gap = gapUnits(units, drawn.length, pixels);
  let y = 0;
  return drawn.map((one) => {
    const height = unit * one.rows.length;
    const span = { layer: table.layers[one.place], y, height, ...one };
    y += height + gap;
    return span;
  });
}

/** Pair by pair: the dumps of the class at which the mini-set appears; both are ascending. */
function hitsOf({ index, classes, setHeight }: CorrelationModel): Hits {
  const { pairSet, pairClass, columnDump, setSize } = index.table;
  const spanOfPlace = new Map(classes.map((span) => [span.place, span]));
  const start = new Int32Array(setSize.length + 1);
  const column: number[] = [];
  let set = 0;
  for (let i = 0; i < pairSet.length; i++) {
    while (set < pairSet[i]) start[++set] = column.length;
    const span = setHeight[set] > 0 ? spanOfPlace.get(pairClass[i]) : undefined;
    if (!span) continue;
    const dumps = index.dumpsOf(set);
    let at = 0;
    for (let c = span.first; c < span.first + span.count; c++) {
      while (at < dumps.length && dumps[at] < columnDump[c]) at++;
      if (dumps[at] === columnDump[c]) column.push(c);
    }
  }
  while (set < setSize.length) start[++set] = column.length;
  let most = 0;
  for (let s = 0; s < setSize.length; s++) most = Math.max(most, start[s + 1] - start[s]);
  return { start, column: Int32Array.from(column), most };
}
