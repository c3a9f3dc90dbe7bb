import type { CorrelationIndex } from '../../kernel/correlation.ts';
import { flipsAt, type Flip } from '../../kernel/predictions.ts';
import type { View } from '../../kernel/view_state.ts';

/**
 * Which images may show what the classes of a selection have in common?
 *
 * 1. Pinned classes at all of their anomaly iterations; and the classes that pinned mini-sets hit, at those of their
 *    anomaly iterations at which one of these mini-sets appears, the most surprising first.
 * 2. Of each class the samples that flipped at these iterations come first, those that flipped at most of them in front;
 *    others follow in the order of the data set.
 */
export interface ClassAt {
  /** Of the run. */
  readonly cls: number;
  readonly dumps: readonly number[];
}

export interface Picture {
  /** A row of the class's samples. */
  readonly row: number;
  /** At how many of the dumps it flipped. */
  readonly flips: number;
}

export function classesOf(index: CorrelationIndex, { minis, pinnedClasses }: View): ClassAt[] {
  const out = new Map<number, ClassAt>();
  for (const cls of pinnedClasses) {
    const place = index.classPlace(cls);
    out.set(cls, { cls, dumps: place === null ? [] : [...index.jumpsOf(place)] });
  }
  const sets = minis.map((id) => index.setOf(id)).filter((set) => set !== null);
  const pairs = sets.flatMap((set) => index.pairsOf(set)).sort((a, b) => a.q - b.q || b.hits - a.hits);
  for (const { cls: place } of pairs) {
    const cls = index.table.classes[place];
    if (out.has(cls)) continue;
    const dumps = [...index.jumpsOf(place)].filter((dump) => sets.some((set) => index.appears(set, dump)));
    out.set(cls, { cls, dumps });
  }
  return [...out.values()];
}

/** `samples`: how many the class has. */
export function picturesOf(
  samples: number,
  flips: readonly Flip[],
  dumps: readonly number[],
  window: number,
): Picture[] {
  const counts = new Int32Array(samples);
  for (const dump of dumps) for (const { row } of flipsAt(flips, dump, window)) counts[row]++;
  return Array.from(counts, (count, row) => ({ row, flips: count })).sort(
    (a, b) => b.flips - a.flips || a.row - b.row,
  );
}
