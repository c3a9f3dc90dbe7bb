/**
 * Which mini-sets of filters move when which classes jump? What an answer says, looked up.
 *
 * 1. Columns: those of `classes[c]` are `columnDump[classOffsets[c]]` up to `columnDump[classOffsets[c + 1]]`, ascending.
 * 2. Rows: those of `layers[l]` are `filters[layerOffsets[l]]` up to `filters[layerOffsets[l + 1]]`, by mini-set, then
 *    ascending; `filterSet` is the mini-set of each, numbered in the order of the rows.
 * 3. Mini-set `appearanceSet[i]` appears at the dump `appearanceDump[i]`, by mini-set, then dump.
 * 4. Mini-set `pairSet[i]` hits `classes[pairClass[i]]` `pairHits[i]` times, by mini-set, then class.
 */
export interface CorrelationTable {
  readonly classes: Int32Array;
  readonly classOffsets: Int32Array;
  readonly columnDump: Int32Array;
  /** The scores of both rules there. */
  readonly columnLeft: Float32Array;
  readonly columnRight: Float32Array;
  readonly layers: Int32Array;
  readonly layerOffsets: Int32Array;
  /** Within its layer. */
  readonly filters: Int32Array;
  readonly filterSet: Int32Array;
  /** A place in `layers`. */
  readonly setLayer: Int32Array;
  readonly setSize: Int32Array;
  /** Whole numbers below 2^48: the same in every run that has this mini-set. */
  readonly setId: Float64Array;
  readonly appearanceSet: Int32Array;
  readonly appearanceDump: Int32Array;
  readonly pairSet: Int32Array;
  readonly pairClass: Int32Array;
  readonly pairHits: Int32Array;
  readonly pairP: Float32Array;
  readonly pairQ: Float32Array;
  /** (layers, classes), row by row: how many anomaly filters of each layer hit each class. */
  readonly counts: Int32Array;
  /** The false discovery rate up to which a pair is significant. */
  readonly level: number;
}

/** A mini-set and a class that it hits. */
export interface Pair {
  readonly set: number;
  /** A place in `classes`. */
  readonly cls: number;
  readonly hits: number;
  readonly p: number;
  readonly q: number;
}

/** Look-ups in one answer; made once an answer. All numbers of classes and layers are places in its lists. */
export class CorrelationIndex {
  readonly table: CorrelationTable;
  readonly #rows: Int32Array;
  readonly #appearances: Int32Array;
  readonly #pairs: Int32Array;
  readonly #places: ReadonlyMap<number, number>;
  readonly #columnClass: Int32Array;

  constructor(table: CorrelationTable) {
    const sets = table.setId.length;
    this.table = table;
    this.#rows = offsetsOf(table.filterSet, sets);
    this.#appearances = offsetsOf(table.appearanceSet, sets);
    this.#pairs = offsetsOf(table.pairSet, sets);
    this.#places = new Map([...table.setId].map((id, set) => [id, set]));
    this.#columnClass = new Int32Array(table.columnDump.length);
    for (let cls = 0; cls < table.classes.length; cls++) {
      this.#columnClass.fill(cls, table.classOffsets[cls], table.classOffsets[cls + 1]);
    }
  }

  /** The mini-set with this id; null where the answer has none. */
  setOf(id: number): number | null {
    return this.#places.get(id) ?? null;
  }

  /** Its rows [from, to): places in `filters`. */
  rowsOf(set: number): readonly [number, number] {
    return [this.#rows[set], this.#rows[set + 1]];
  }

  /** Its filters, within their layer. */
  filtersOf(set: number): Int32Array {
    return this.table.filters.subarray(...this.rowsOf(set));
  }

  /** The dumps at which it appears, ascending. */
  dumpsOf(set: number): Int32Array {
    return this.table.appearanceDump.subarray(this.#appearances[set], this.#appearances[set + 1]);
  }

  appears(set: number, dump: number): boolean {
    return this.dumpsOf(set).includes(dump);
  }

  pairAt(index: number): Pair {
    const { pairSet, pairClass, pairHits, pairP, pairQ } = this.table;
    return {
      set: pairSet[index],
      cls: pairClass[index],
      hits: pairHits[index],
      p: pairP[index],
      q: pairQ[index],
    };
  }

  pairsOf(set: number): Pair[] {
    const out: Pair[] = [];
    for (let i = this.#pairs[set]; i < this.#pairs[set + 1]; i++) out.push(this.pairAt(i));
    return out;
  }

  pairOf(set: number, cls: number): Pair | null {
    const { pairClass } = this.table;
    for (let i = this.#pairs[set]; i < this.#pairs[set + 1]; i++)
      if (pairClass[i] === cls) return this.pairAt(i);
    return null;
  }

  classOfColumn(column: number): number {
    return this.#columnClass[column];
  }

  /** The anomaly iterations of a class, as dumps. */
  jumpsOf(cls: number): Int32Array {
    const { columnDump, classOffsets } = this.table;
    return columnDump.subarray(classOffsets[cls], classOffsets[cls + 1]);
  }

  /** The column of a class at a dump; null where it is no anomaly iteration of it. */
  columnOf(cls: number, dump: number): number | null {
    const place = this.jumpsOf(cls).indexOf(dump);
    return place < 0 ? null : this.table.classOffsets[cls] + place;
  }

  /** The place of a class or layer of the run; null where the answer has none. */
  classPlace(cls: number): number | null {
    return placeOf(this.table.classes, cls);
  }

  layerPlace(layer: number): number | null {
    return placeOf(this.table.layers, layer);
  }
}

/** Where each of `count` numbers begins in an ascending list of them, and its end. */
function offsetsOf(ascending: Int32Array, count: number): Int32Array {
  const out = new Int32Array(count + 1);
  for (const value of ascending) out[value + 1]++;
  for (let i = 0; i < count; i++) out[i + 1] += out[i];
  return out;
}

function placeOf(list: Int32Array, value: number): number | null {
  const place = list.indexOf(value);
  return place < 0 ? null : place;
}
