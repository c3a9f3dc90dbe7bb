import type { CorrelationIndex, Pair } from './correlation.ts';

/** What do some mini-sets do, each for itself, and what have they in common? */
export interface ComparedSet {
  readonly id: number;
  readonly set: number;
  /** Of the run. */
  readonly layer: number;
  readonly filters: Int32Array;
  readonly dumps: Int32Array;
  readonly classes: number;
  /** The classes among them that chance does not explain. */
  readonly significant: number;
}

/** A class that any of the mini-sets hits. */
export interface ComparedClass {
  /** Of the run. */
  readonly cls: number;
  /** Its anomaly iterations. */
  readonly jumps: number;
  /** One for each mini-set; null where it does not hit this class. */
  readonly pairs: readonly (Pair | null)[];
}

export interface Comparison {
  readonly sets: readonly ComparedSet[];
  readonly classes: readonly ComparedClass[];
  /** Dumps at which all of them appear, of those at which any does. */
  readonly dumps: readonly number[];
  readonly anyDump: number;
  /** How many of the classes all of them hit: these come first. */
  readonly shared: number;
}

/** Ids that the answer does not have are left out. */
export function comparisonOf(index: CorrelationIndex, ids: readonly number[]): Comparison {
  const sets = ids.flatMap((id) => {
    const set = index.setOf(id);
    return set === null ? [] : [comparedSet(index, id, set)];
  });
  const classes = classesOf(index, sets);
  const [first, ...others] = sets.map(({ dumps }) => dumps);
  return {
    sets,
    classes,
    dumps: [...(first ?? [])].filter((dump) => others.every((list) => list.includes(dump))),
    anyDump: new Set(sets.flatMap(({ dumps }) => [...dumps])).size,
    shared: classes.filter(({ pairs }) => pairs.every((pair) => pair !== null)).length,
  };
}

function comparedSet(index: CorrelationIndex, id: number, set: number): ComparedSet {
  const { table } = index;
  const pairs = index.pairsOf(set);
  return {
    id,
    set,
    layer: table.layers[table.setLayer[set]],
    filters: index.filtersOf(set),
    dumps: index.dumpsOf(set),
    classes: pairs.length,
    significant: pairs.filter(({ q }) => q <= table.level).length,
  };
}

/** What most of them hit comes first, then what is most surprising. */
function classesOf(index: CorrelationIndex, sets: readonly ComparedSet[]): ComparedClass[] {
  const places = new Set(sets.flatMap(({ set }) => index.pairsOf(set).map(({ cls }) => cls)));
  const rows = [...places].map((place) => {
    const pairs = sets.map(({ set }) => index.pairOf(set, place));
    const hit = pairs.filter((pair) => pair !== null);
    return {
      row: { cls: index.table.classes[place], jumps: index.jumpsOf(place).length, pairs },
      by: hit.length,
      q: Math.min(...hit.map(({ q }) => q)),
      hits: Math.max(...hit.map(({ hits }) => hits)),
    };
  });
  return rows
    .sort((a, b) => b.by - a.by || a.q - b.q || b.hits - a.hits || a.row.cls - b.row.cls)
    .map(({ row }) => row);
}
