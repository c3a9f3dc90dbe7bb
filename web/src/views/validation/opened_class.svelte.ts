import { bisectLeft } from 'd3-array';
import { DetailedPart, type Look } from '../../detailed.svelte.ts';
import { nearestDump, type DumpSpan } from '../../kernel/axis.ts';
import { covers } from '../../kernel/detail.ts';
import { decides, decidingDumps, orderRows, takenAt, type RowOrder } from '../../kernel/predictions.ts';
import type { SetView } from '../../kernel/suggested.ts';
import { Part, type AnyPart } from '../../part.svelte.ts';
import type { Asking, ClassSamples, TakenFor } from '../../source.ts';
import type { RunData } from '../frame/run_data.svelte.ts';
import type { OpenedFacts } from './scene.ts';

/**
 * What is shown of a class that is opened, and kept up with a live run?
 *
 * 1. Its samples, in as many columns as the screen has, and how many of them flip. What they are taken for is asked for
 *    when these are here: the server reads all predictions for it.
 * 2. Dump by dump, where a column is more than one: the newest, for final results; and those that decide which samples
 *    flip at the chosen anomaly. Nothing else is.
 */
export class OpenedClass {
  readonly cls: number;
  readonly samples = new DetailedPart<ClassSamples>();
  readonly taken = new DetailedPart<TakenFor>();
  /** The newest dump alone. */
  readonly newest = new Part<ClassSamples>();
  /** The dumps around the chosen anomaly. */
  readonly around = new Part<ClassSamples>();
  readonly #run: Pick<RunData, 'source' | 'id' | 'recorded' | 'iterations'>;
  #order: { how: RowOrder; from: ClassSamples; last: ClassSamples | null; value: Int32Array } | null = null;

  constructor(cls: number, run: Pick<RunData, 'source' | 'id' | 'recorded' | 'iterations'>) {
    this.cls = cls;
    this.#run = run;
  }

  ask(view: SetView, look: Look): void {
    const { source, id } = this.#run;
    const { cls, samples } = this;
    const { win } = view;
    samples.load(`${win}`, look, (range, held, asking) => {
      // Another window changes the flips alone: columns that are here need not come again.
      const known = range.span ? held : (held ?? samples.whole.value);
      return source.classSamples(id, cls, win, range, known, asking);
    });
    const { value: whole } = samples.whole;
    if (!whole) return;
    if (whole.detail.level === 1) this.newest.clear();
    else {
      const { end } = whole.detail;
      this.newest.load(`${end}`, (_, asking) => this.#dumps([end - 1, end], win, asking), 'keep');
    }
    this.#askAround(view);
    if (!samples.whole.busy && !samples.near.busy) {
      this.taken.load('', look, (range, _, asking) => source.takenFor(id, cls, range, asking));
    }
  }

  #askAround({ anomaly, win }: SetView): void {
    const { cls, around } = this;
    const dump = anomaly?.[0] === cls ? nearestDump(this.#run.iterations, anomaly[1]) : -1;
    const span = this.#deciding(dump, win);
    if (dump < 0 || this.#decides(this.samples.over(span), span)) around.clear();
    else {
      around.load(
        `${span}`,
        async (_, asking) => {
          const near = await this.#dumps(span, win, asking);
          return this.#decides(near, span) ? near : this.#dumps([0, span[1]], win, asking);
        },
        'keep',
      );
    }
  }

  /** The samples at these dumps, one by one: asked for where they are not here. */
  async dumpByDump(span: DumpSpan, window: number): Promise<ClassSamples> {
    const held = this.samples.over(span);
    if (held?.detail.level === 1 && covers(held.detail, span)) return held;
    return this.#dumps(span, window, { signal: new AbortController().signal });
  }

  #dumps(span: DumpSpan, window: number, asking: Asking): Promise<ClassSamples> {
    const range = { columns: span[1] - span[0], span };
    return this.#run.source.classSamples(this.#run.id, this.cls, window, range, null, asking);
  }

  /** The run may be ahead of its samples. */
  #deciding(dump: number, window: number): DumpSpan {
    const { recorded } = this.#run;
    const end = bisectLeft(recorded, this.samples.whole.value?.detail.end ?? 0);
    return decidingDumps(recorded.subarray(0, end), dump, window);
  }

  #decides(samples: ClassSamples | null, span: DumpSpan): boolean {
    return samples?.detail.level === 1 && decides(samples.error, samples.detail.first, span);
  }

  /** The samples dump by dump, as far as decides which of them flip at one; null until they are here. */
  at(dump: number, window: number): ClassSamples | null {
    const span = this.#deciding(dump, window);
    const held = [this.samples.over(span), this.around.value];
    return held.find((samples) => this.#decides(samples, span)) ?? null;
  }

  /** The samples of which the last column is the newest dump. */
  get #last(): ClassSamples | null {
    const { value } = this.samples.whole;
    return value?.detail.level === 1 ? value : this.newest.value;
  }

  order(how: RowOrder): Int32Array {
    const from = this.samples.whole.value;
    const last = this.#last;
    if (!from) return new Int32Array(0);
    if (this.#order?.how !== how || this.#order.from !== from || this.#order.last !== last) {
      this.#order = { how, from, last, value: orderRows(how, from.order, last?.error ?? null) };
    }
    return this.#order.value;
  }

  /** What is drawn where these dumps are shown. */
  facts(zoom: DumpSpan, rows: RowOrder): OpenedFacts | null {
    const samples = this.samples.over(zoom);
    if (!samples) return null;
    const taken = this.taken.over(zoom);
    const labels = this.#last?.labels;
    const final = taken && labels ? takenAt(labels, labels.length - 1, this.cls, taken.labels) : null;
    return { samples, order: this.order(rows), taken, final };
  }

  grown(): void {
    this.samples.refresh();
  }

  grownLately(): void {
    this.samples.renew();
    this.taken.refresh();
    this.taken.renew();
    if (this.around.value) this.around.refresh();
  }

  get parts(): readonly AnyPart[] {
    const { samples, taken } = this;
    return [samples.whole, samples.near, taken.whole, taken.near, this.newest, this.around];
  }

  clear(): void {
    for (const part of [this.samples, this.taken, this.newest, this.around]) part.clear();
  }
}
