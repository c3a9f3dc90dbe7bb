import {
  cellsOf,
  flipsOf,
  orderRows,
  ruleCounts,
  wrongLabels,
  type RowOrder,
} from '../../kernel/predictions.ts';
import { Part } from '../../part.svelte.ts';
import type { ClassSamples } from '../../source.ts';

/** How many wrong labels get a row of their own. */
const WRONG_LABELS = 5;

/** One class whose samples are known, and what is read off them. Each derivation is kept until its input changes. */
export class OpenedClass {
  readonly cls: number;
  readonly part = new Part<ClassSamples>();
  readonly #recorded: () => Int32Array;
  readonly cells = $derived.by(() => {
    const value = this.part.value;
    return value ? cellsOf(value.labels, this.cls) : null;
  });
  readonly flips = $derived.by(() => (this.cells ? flipsOf(this.cells, this.#recorded()) : []));
  readonly wrong = $derived.by(() => {
    const value = this.part.value;
    return value ? wrongLabels(value.labels, this.cls, WRONG_LABELS) : null;
  });
  #counts: { window: number; from: unknown; value: ReturnType<typeof ruleCounts> } | null = null;
  #order: { how: RowOrder; from: unknown; value: Int32Array } | null = null;

  constructor(cls: number, recorded: () => Int32Array) {
    this.cls = cls;
    this.#recorded = recorded;
  }

  counts(window: number) {
    const flips = this.flips;
    if (this.#counts?.window !== window || this.#counts.from !== flips) {
      this.#counts = { window, from: flips, value: ruleCounts(flips, this.cells?.length ?? 0, window) };
    }
    return this.#counts.value;
  }

  order(how: RowOrder): Int32Array {
    const value = this.part.value;
    const cells = this.cells;
    if (!value || !cells) return new Int32Array(0);
    if (this.#order?.how !== how || this.#order.from !== cells) {
      this.#order = { how, from: cells, value: orderRows(how, value.order, cells) };
    }
    return this.#order.value;
  }
}
