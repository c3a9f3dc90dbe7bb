import { Columns } from '../../kernel/columns.ts';
import type { Lut } from '../../kernel/colour.ts';
import type { CorrelationIndex } from '../../kernel/correlation.ts';
import { columnOf } from '../../kernel/detail.ts';
import { reduceMax, reduceMean } from '../../kernel/raster.ts';
import type { Lens } from '../../marks/lens.ts';
import type { ClassErrors, CorrelationRows } from '../../source.ts';
import type { CubeHover } from './hit.ts';
import { rowOf } from './reading.ts';

/**
 * What does the lens show? Rows of the cube may be thinner than a pixel; the lens shows those around the pointer large.
 *
 * 1. Where a filter, mini-set or layer is pointed at, the rows of the front face; else, where a class is, those of the
 *    top one.
 * 2. Where the face says nothing of time, the last dump that is shown is in the middle.
 */
export interface Looked {
  readonly index: CorrelationIndex;
  readonly rows: CorrelationRows | null;
  readonly errors: ClassErrors | null;
  readonly changeLut: Lut;
  readonly errorLut: Lut;
}

export function lensOf(from: Looked, hover: CubeHover): Lens | null {
  return ofRows(from, hover) ?? ofClasses(from, hover);
}

function ofRows({ index, rows, changeLut }: Looked, hover: CubeHover): Lens | null {
  if (!rows || rows.columns === 0 || (hover.set === null && hover.layer === null)) return null;
  const row = rowOf(index, rows.by, hover) ?? firstRowOf(index, rows, hover.layer);
  if (row === null) return null;
  const { layerOffsets, filterSet, setLayer } = index.table;
  const changes = (list: ArrayLike<number>) => {
    const out: number[] = [];
    for (let i = 1; i < list.length; i++) if (list[i] !== list[i - 1]) out.push(i);
    return out;
  };
  const layers = { filter: [...layerOffsets], set: changes(setLayer), layer: [] }[rows.by];
  return {
    cells: Columns.of(rows.rows, rows.cells as Uint8Array<ArrayBuffer>),
    detail: rows.detail,
    order: Int32Array.from({ length: rows.rows }, (_, i) => i),
    lut: changeLut,
    reduce: reduceMax,
    row,
    column: columnNear(rows.detail, hover.dump, rows.columns),
    layers,
    sets: rows.by === 'filter' ? changes(filterSet) : [],
  };
}

/** Where only a layer is pointed at: its first row. */
function firstRowOf(
  { table }: CorrelationIndex,
  { by }: CorrelationRows,
  layer: number | null,
): number | null {
  const place = layer === null ? -1 : table.layers.indexOf(layer);
  if (place < 0) return null;
  return { filter: table.layerOffsets[place], set: table.setLayer.indexOf(place), layer: place }[by];
}

function ofClasses({ index, errors, errorLut }: Looked, { cls, dump }: CubeHover): Lens | null {
  const place = cls === null ? null : index.classPlace(cls);
  if (!errors || place === null || errors.error.length === 0) return null;
  return {
    cells: errors.error,
    detail: errors.detail,
    order: index.table.classes,
    lut: errorLut,
    reduce: reduceMean,
    row: place,
    column: columnNear(errors.detail, dump, errors.error.length),
    layers: [],
    sets: [],
  };
}

function columnNear(detail: ClassErrors['detail'], dump: number | null, columns: number): number {
  const column = dump === null ? -1 : columnOf(detail, dump);
  return column < 0 ? columns - 1 : Math.min(column, columns - 1);
}
