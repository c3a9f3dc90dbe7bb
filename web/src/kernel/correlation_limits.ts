import type { CorrelationTable } from './correlation.ts';
import {
  COLUMN,
  rowPixels,
  rowsOfLayers,
  type CorrelationModel,
  type Cut,
  type RowsBy,
} from './correlation_model.ts';

/**
 * What of a correlation can be seen on a screen, and how is it said where that is not all?
 *
 * 1. Of very many classes those with the highest score are drawn, of very many layers those with most anomaly filters.
 * 2. Rows that would be thinner than a pixel become rows of mini-sets, then of layers.
 * 3. Where columns would be thinner than 1.2 pixels, or rows are layers, cells count filters in place of mini-sets.
 *
 * Nothing is left out silently: each of the three has its sentence and a way out.
 */
export const MOST_CLASSES = 120;
export const MOST_LAYERS = 60;
const LEAST_ROW_PIXELS = 1;
const LEAST_COLUMN_PIXELS = 1.2;

export type Cells = 'sets' | 'counts';

export interface Limits {
  readonly classes: { readonly shown: number; readonly all: number };
  readonly layers: { readonly shown: number; readonly all: number };
  readonly by: RowsBy;
  /** What a row of a filter, or of a mini-set, would have. */
  readonly rowPixels: Readonly<Record<'filter' | 'set', number>>;
  readonly cells: Cells;
  /** What was asked for. */
  readonly wanted: Cells;
  readonly columnPixels: number;
}

/** The highest score of each class of an answer, by its place. */
export function scoresOf({ classes, classOffsets, columnLeft, columnRight }: CorrelationTable): Float32Array {
  return Float32Array.from(classes, (_, place) => {
    let best = 0;
    for (let c = classOffsets[place]; c < classOffsets[place + 1]; c++) {
      best = Math.max(best, columnLeft[c], columnRight[c]);
    }
    return best;
  });
}

export function cutOf(table: CorrelationTable, mostClasses = MOST_CLASSES, mostLayers = MOST_LAYERS): Cut {
  const classes = largest(scoresOf(table), mostClasses);
  const count = table.classes.length;
  const filters = Float32Array.from(table.layers, (_, layer) =>
    classes.reduce((sum, place) => sum + table.counts[layer * count + place], 0),
  );
  return { classes, layers: largest(filters, mostLayers) };
}

/** The places of the largest values, ascending; of equal ones the first. */
function largest(values: Float32Array, most: number): number[] {
  const places = Array.from(values.keys());
  if (places.length <= most) return places;
  return places
    .sort((a, b) => values[b] - values[a] || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
}

/** The finest rows that can be told apart on `pixels`. */
export function rowsThatFit(
  table: CorrelationTable,
  cut: Cut,
  pixels: number,
): { by: RowsBy; rowPixels: Limits['rowPixels'] } {
  const of = (by: RowsBy) => rowPixels(rowsOfLayers(table, cut, by), by, pixels);
  const rowPixelsOf = { filter: of('filter'), set: of('set') };
  const isEmpty = table.filters.length === 0;
  if (isEmpty || rowPixelsOf.filter >= LEAST_ROW_PIXELS) return { by: 'filter', rowPixels: rowPixelsOf };
  return { by: rowPixelsOf.set >= LEAST_ROW_PIXELS ? 'set' : 'layer', rowPixels: rowPixelsOf };
}

/** `across`, `down`: pixels of the face from left to right, and from top to bottom. */
export function limitsOf(model: CorrelationModel, wanted: Cells, across: number, down: number): Limits {
  const { table, cut, by } = model;
  const columnPixels = (COLUMN * across) / model.width;
  const isFine = by !== 'layer' && columnPixels >= LEAST_COLUMN_PIXELS;
  return {
    classes: { shown: cut.classes.length, all: table.classes.length },
    layers: { shown: cut.layers.length, all: table.layers.length },
    by,
    rowPixels: rowsThatFit(table, cut, down).rowPixels,
    cells: isFine ? wanted : 'counts',
    wanted,
    columnPixels,
  };
}

/** Not all that was asked for is drawn: correlation_limit_texts.ts has the words. */
export function isLimited({ classes, layers, by, cells, wanted }: Limits): boolean {
  return classes.shown < classes.all || layers.shown < layers.all || by !== 'filter' || cells !== wanted;
}
