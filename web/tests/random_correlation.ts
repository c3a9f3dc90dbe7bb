import type { CorrelationTable } from '../src/kernel/correlation.ts';
import { integer, seeded } from './random.ts';

export interface Shape {
  readonly dumps: number;
  readonly classes: number;
  readonly layers: number;
  readonly filters: number;
  /** How likely a filter is an anomaly filter at an anomaly iteration. */
  readonly density: number;
}

export const SHAPE: Shape = { dumps: 200, classes: 12, layers: 6, filters: 9, density: 0.2 };

/** An answer like the server's: classes that jump at random dumps, filters that move at random ones of them. */
export function randomCorrelation(seed = 1, shape: Partial<Shape> = {}): CorrelationTable {
  const { dumps, classes, layers, filters, density } = { ...SHAPE, ...shape };
  const random = seeded(seed);
  const dumpsOfClass = Array.from({ length: classes }, () => {
    const found = new Set(Array.from({ length: 1 + integer(random, 5) }, () => integer(random, dumps)));
    return [...found].sort((a, b) => a - b);
  });
  const all = [...new Set(dumpsOfClass.flat())].sort((a, b) => a - b);
  const sets: { layer: number; filters: number[]; dumps: number[] }[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const byDumps = new Map<string, { layer: number; filters: number[]; dumps: number[] }>();
    for (let filter = 0; filter < filters; filter++) {
      const moves = all.filter(() => random() < density);
      const key = moves.join();
      const held = byDumps.get(key);
      if (held) held.filters.push(2 * filter);
      else if (moves.length > 0) byDumps.set(key, { layer, filters: [2 * filter], dumps: moves });
    }
    sets.push(...byDumps.values());
  }
  return answerOf(dumpsOfClass, layers, sets, random);
}

function answerOf(
  dumpsOfClass: readonly (readonly number[])[],
  layers: number,
  sets: readonly { layer: number; filters: number[]; dumps: number[] }[],
  random: () => number,
): CorrelationTable {
  const used = Array.from({ length: layers }, (_, layer) => layer).filter((layer) =>
    sets.some((set) => set.layer === layer),
  );
  const pairs = sets.flatMap((set, s) =>
    dumpsOfClass.flatMap((of, c) => {
      const hits = of.filter((dump) => set.dumps.includes(dump)).length;
      return hits > 0 ? [{ s, c, hits }] : [];
    }),
  );
  const counts = new Int32Array(used.length * dumpsOfClass.length);
  for (const { s, c } of pairs) {
    counts[used.indexOf(sets[s].layer) * dumpsOfClass.length + c] += sets[s].filters.length;
  }
  const columns = dumpsOfClass.flat();
  const starts = (lengths: readonly number[]) => {
    let sum = 0;
    return Int32Array.from([0, ...lengths.map((length) => (sum += length))]);
  };
  return {
    classes: Int32Array.from(dumpsOfClass, (_, c) => 3 * c + 1),
    classOffsets: starts(dumpsOfClass.map((of) => of.length)),
    columnDump: Int32Array.from(columns),
    columnLeft: Float32Array.from(columns, () => random()),
    columnRight: Float32Array.from(columns, () => random()),
    layers: Int32Array.from(used, (layer) => 2 * layer),
    layerOffsets: starts(
      used.map((layer) =>
        sets.filter((set) => set.layer === layer).reduce((sum, set) => sum + set.filters.length, 0),
      ),
    ),
    filters: Int32Array.from(sets.flatMap((set) => set.filters)),
    filterSet: Int32Array.from(sets.flatMap((set, s) => set.filters.map(() => s))),
    setLayer: Int32Array.from(sets, (set) => used.indexOf(set.layer)),
    setSize: Int32Array.from(sets, (set) => set.filters.length),
    setId: Float64Array.from(sets, (_, s) => 0xabc000 + s),
    appearanceSet: Int32Array.from(sets.flatMap((set, s) => set.dumps.map(() => s))),
    appearanceDump: Int32Array.from(sets.flatMap((set) => set.dumps)),
    pairSet: Int32Array.from(pairs, (pair) => pair.s),
    pairClass: Int32Array.from(pairs, (pair) => pair.c),
    pairHits: Int32Array.from(pairs, (pair) => pair.hits),
    pairP: Float32Array.from(pairs, () => random()),
    pairQ: Float32Array.from(pairs, () => random()),
    counts,
    level: 0.05,
  };
}
