import type { ConfusedPairs, ConfusionSource, Course, Flows, TakenSamples } from '../../confusion_source.ts';
import type { ConfusionTable } from '../../kernel/confusion.ts';
import { MISSING, UNDEFINED } from '../../kernel/labels.ts';
import type { View } from '../../kernel/view_state.ts';
import { Part, type AnyPart } from '../../part.svelte.ts';
import type { Clusters, SampleHistory } from '../../source.ts';
import type { Follower, RunData } from '../frame/run_data.svelte.ts';

/** Which dumps are looked at: `after`, and `before` where two are compared (iterations). */
export interface Asked {
  readonly before: number | null;
  readonly after: number;
}

const MOST_PAIRS = 14;
const MOST_FLOWS = 60;
const MOST_OF_A_CLASS = 500;
const MOST_PICTURES = 48;
const ALL = 1_000_000_000;

/** Everything that the Confusion view shows of one run, part by part, kept up with a live run. */
export class ConfusionData implements Follower {
  readonly run: RunData;
  readonly table = new Part<ConfusionTable>();
  /** At the newest dump: classes are ordered by their error there, whatever dump is looked at. */
  readonly newest = new Part<ConfusionTable>();
  readonly clusters = new Part<Clusters>();
  readonly order = new Part<{ readonly order: Int32Array; readonly method: string }>();
  readonly pairs = new Part<ConfusedPairs>();
  readonly flows = new Part<Flows>();
  /** Of the selected class alone, those of its samples that stay included. */
  readonly ownFlows = new Part<Flows>();
  readonly course = new Part<Course>();
  readonly taken = new Part<TakenSamples>();
  readonly sample = new Part<SampleHistory>();

  readonly #source: ConfusionSource;
  /** What the table on the screen is of. */
  shownFor = $state.raw<Asked | null>(null);

  readonly names = $derived.by(() => {
    const info = this.run.info.value;
    const count = this.newest.value ? this.newest.value.offsets.length - 1 : (info?.class_names.length ?? 0);
    return Array.from({ length: count }, (_, i) => info?.class_names[i] ?? `class ${i}`);
  });

  constructor(run: RunData, source: ConfusionSource) {
    this.run = run;
    this.#source = source;
  }

  nameOf(label: number): string {
    if (label === UNDEFINED) return 'no number (NaN)';
    if (label === MISSING) return 'not evaluated';
    return label < MISSING ? 'classes left out' : (this.names[label] ?? `class ${label}`);
  }

  get #isThere(): boolean {
    const { info, waiting, hasPredictions, recorded } = this.run;
    return info.value !== null && !waiting && hasPredictions && recorded.length > 0;
  }

  /** The matrix of `asked`. One at a time: while the hand moves on, only the newest question is kept. */
  askTable(asked: Asked, newest: number): void {
    if (!this.#isThere) return;
    const { id } = this.run;
    const from = this.#source;
    this.newest.load(`${newest}`, (_, asking) => from.table(id, newest, null, asking), 'keep');
    const { before, after } = asked;
    if (this.table.busy && this.table.value !== null) return;
    this.table.load(
      `${before} ${after}`,
      async (_, asking) => {
        const found = await (before === null
          ? from.table(id, after, null, asking)
          : from.table(id, before, after, asking));
        if (!asking.signal.aborted) this.shownFor = asked;
        return found;
      },
      'keep',
    );
  }

  /** All that is told beside the matrix, of dumps on which the hand rests. */
  ask(view: View, asked: Asked, columns: number): void {
    this.run.ask();
    // What takes longer comes after what is seen first: a run answers one question at a time.
    if (!this.#isThere || (this.table.value === null && this.table.failure === null)) return;
    const { source, id } = this.run;
    if (view.matrixOrder === 'cluster') {
      this.clusters.load(`${view.k}`, (_, asking) => source.clusters(id, view.k, asking), 'keep');
    }
    if (view.matrixOrder === 'confusion') this.order.load(id, (_, asking) => this.#source.order(id, asking));
    const cell = view.cell && view.cell[0] < this.names.length ? view.cell : null;
    this.#askLists(cell, asked, columns);
    this.#askCell(cell, asked, columns);
    const { sample } = view;
    if (sample === null) this.sample.clear();
    else this.sample.load(`${sample}`, (_, asking) => source.sample(id, sample, asking), 'keep');
  }

  #askLists(cell: View['cell'], { before, after }: Asked, columns: number): void {
    const { id } = this.run;
    const from = this.#source;
    if (cell || before !== null) this.pairs.clear();
    else {
      const range = { columns, span: null };
      this.pairs.load(`${after}`, (_, asking) => from.pairs(id, after, MOST_PAIRS, range, asking), 'keep');
    }
    if (cell || before === null) this.flows.clear();
    else {
      this.flows.load(
        `${before} ${after}`,
        (_, asking) => from.flows(id, [before, after], null, MOST_FLOWS, asking),
        'keep',
      );
    }
    if (!cell || before === null) this.ownFlows.clear();
    else {
      this.ownFlows.load(
        `${before} ${after} ${cell[0]}`,
        (_, asking) => from.flows(id, [before, after], cell[0], MOST_OF_A_CLASS, asking),
        'keep',
      );
    }
  }

  #askCell(cell: View['cell'], { after }: Asked, columns: number): void {
    const { id } = this.run;
    const from = this.#source;
    if (!cell) {
      this.course.clear();
      this.taken.clear();
      return;
    }
    const range = { columns, span: null };
    this.course.load(`${cell}`, (_, asking) => from.course(id, cell[0], cell[1], range, asking), 'drop');
    this.taken.load(
      `${cell} ${after}`,
      (_, asking) => from.samples(id, after, cell, MOST_PICTURES, asking),
      'keep',
    );
  }

  /** For tables: all flows between two dumps, and a cell at every dump. */
  allFlows(span: readonly [number, number]): Promise<Flows> {
    return this.#source.flows(this.run.id, span, null, ALL, { signal: new AbortController().signal });
  }

  wholeCourse([cls, predicted]: readonly [number, number]): Promise<Course> {
    return this.#source.course(this.run.id, cls, predicted, null, { signal: new AbortController().signal });
  }

  /** A new dump is another question about the newest; what is told over all dumps grows. */
  grown(): void {
    this.course.refresh();
  }

  grownLately(): void {
    for (const part of [this.clusters, this.order, this.pairs, this.sample]) if (part.value) part.refresh();
  }

  reconnected(): void {
    for (const { part } of this.parts) if (part.failure) part.retry();
  }

  get parts(): readonly { readonly what: string; readonly part: AnyPart }[] {
    return [
      { what: 'The confusions', part: this.table },
      { what: 'The newest confusions', part: this.newest },
      { what: 'The clusters', part: this.clusters },
      { what: 'The order of classes', part: this.order },
      { what: 'The confused pairs', part: this.pairs },
      { what: 'The flows', part: this.flows },
      { what: 'The flows of the class', part: this.ownFlows },
      { what: 'The course', part: this.course },
      { what: 'The samples', part: this.taken },
    ];
  }

  /** Everything that the picture waits for has come or failed. */
  get settled(): boolean {
    const { run } = this;
    if (!run.settled) return false;
    if (!this.#isThere) return true;
    const begun = this.table.value !== null || this.table.failure !== null;
    return begun && !this.sample.busy && this.parts.every(({ part }) => !part.busy);
  }
}
