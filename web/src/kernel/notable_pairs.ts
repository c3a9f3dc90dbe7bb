import type { CorrelationIndex, Pair } from './correlation.ts';

/**
 * Where should one look first? (paper, 8.3) Both lists are read off the pairs that chance does not explain.
 *
 * 1. Recurring: a mini-set that comes back at two or more anomaly iterations of one class (the paper's gong). Those that
 *    hit the fewest classes come first, then those with the most hits: they say the most about their class.
 * 2. Shared: a mini-set that goes with several classes (the paper's sky), the most classes first.
 */
export interface Recurring extends Pair {
  /** How many classes it hits, by chance or not. */
  readonly classes: number;
}

export interface Shared {
  readonly set: number;
  /** The classes for which it is significant, those with the smallest q first. */
  readonly pairs: readonly Pair[];
}

const FEWEST_HITS = 2;
const FEWEST_CLASSES = 2;

export function significantPairs(index: CorrelationIndex): Pair[] {
  const { pairQ, level } = index.table;
  const out: Pair[] = [];
  for (let i = 0; i < pairQ.length; i++) if (pairQ[i] <= level) out.push(index.pairAt(i));
  return out;
}

export function recurring(index: CorrelationIndex): Recurring[] {
  const classes = new Int32Array(index.table.setId.length);
  for (const set of index.table.pairSet) classes[set]++;
  return significantPairs(index)
    .filter(({ hits }) => hits >= FEWEST_HITS)
    .map((pair) => ({ ...pair, classes: classes[pair.set] }))
    .sort((a, b) => a.classes - b.classes || b.hits - a.hits || a.q - b.q || a.set - b.set);
}

export function shared(index: CorrelationIndex): Shared[] {
  const bySet = new Map<number, Pair[]>();
  for (const pair of significantPairs(index)) {
    const list = bySet.get(pair.set);
    if (list) list.push(pair);
    else bySet.set(pair.set, [pair]);
  }
  return [...bySet]
    .map(([set, pairs]) => ({ set, pairs: pairs.sort((a, b) => a.q - b.q || b.hits - a.hits) }))
    .filter(({ pairs }) => pairs.length >= FEWEST_CLASSES)
    .sort((a, b) => b.pairs.length - a.pairs.length || a.set - b.set);
}
