import { nearestDump, type DumpSpan } from '../../kernel/axis.ts';
import { lutOf } from '../../kernel/colour.ts';
import {
  classesOf,
  entriesOf,
  errorOf,
  groupsOf,
  matrixOf,
  orderedClasses,
  type Matrix,
} from '../../kernel/confusion.ts';
import { within, type MatrixWindow } from '../../kernel/confusion_raster.ts';
import type { Settings } from '../../settings.svelte.ts';
import type { ViewStore } from '../../view.svelte.ts';
import { TimeStage } from '../frame/time_stage.svelte.ts';
import { lutsOf } from './colours.ts';
import type { Asked, ConfusionData } from './confusion_data.svelte.ts';
import type { Hover } from './hit.ts';
import { LEGEND_HEIGHT, marginsOf, placesOf, type Scene } from './scene.ts';

/** Which of the two handles of the scrubber: the dump that is looked at, and the one that it is compared with. */
export type Handle = 'at' | 'to';

/** What the Confusion view shows and what the hand is doing, turned into one scene. */
export class ConfusionStage extends TimeStage {
  readonly data: ConfusionData;

  hover = $state.raw<Hover | null>(null);
  playing = $state(false);
  /** While a handle is dragged or the run is played: dumps that are not in the link yet. */
  draft = $state.raw<Partial<Record<Handle, number | null>>>({});
  /** The part of the matrix that is looked at; null for all of it. */
  zoomedTo = $state.raw<MatrixWindow | null>(null);
  /** Pictures on the screen that have not arrived. */
  picturesPending = $state(0);

  constructor(data: ConfusionData, store: ViewStore, settings: Settings) {
    super(data.run, store, settings);
    this.data = data;
  }

  protected margins(width: number) {
    return marginsOf(width);
  }

  readonly bodyHeight = $derived.by(() => this.height - (this.legend ? LEGEND_HEIGHT : 0));
  readonly maxScroll = 0;

  readonly #recordedIterations = $derived.by(() =>
    Float64Array.from(this.run.recorded, (dump) => this.run.iterations[dump]),
  );

  readonly newest = $derived.by(() => this.run.recorded[this.run.recorded.length - 1] ?? -1);

  /** The dump with predictions that is nearest to an iteration. */
  nearest(iteration: number): number {
    return this.run.recorded[nearestDump(this.#recordedIterations, iteration)] ?? -1;
  }

  /** The dump of each handle as the link has it; `to` is null where nothing is compared. */
  readonly #at = $derived.by(() => {
    const { at } = this.store.v;
    return at === null ? this.newest : this.nearest(at);
  });
  readonly #to = $derived.by(() => {
    const { to } = this.store.v;
    return to === null ? null : this.nearest(to);
  });

  readonly at = $derived.by(() => this.draft.at ?? this.#at);
  readonly to = $derived.by(() => (this.draft.to === undefined ? this.#to : this.draft.to));

  #asked(at: number, to: number | null): Asked | null {
    const { iterations } = this.run;
    if (at < 0) return null;
    if (to === null || to < 0) return { before: null, after: iterations[at] };
    return { before: iterations[Math.min(at, to)], after: iterations[Math.max(at, to)] };
  }

  /** The dump that is told of: of two that are compared the later one. */
  readonly last = $derived.by(() => Math.max(this.at, this.to ?? -1));
  /** What is looked at this moment, and what the hand rests on. */
  readonly looked = $derived.by(() => this.#asked(this.at, this.to));
  readonly rested = $derived.by(() => this.#asked(this.#at, this.#to));
  readonly isMoving = $derived.by(() => this.draft.at !== undefined || this.draft.to !== undefined);
  readonly isChange = $derived.by(() => this.data.table.value?.before != null);

  readonly #error = $derived.by(() => {
    const table = this.data.newest.value;
    return Float64Array.from(this.data.names, (_, cls) => (table ? errorOf(table, cls) : Number.NaN));
  });
  readonly #how = $derived.by(() => this.store.v.matrixOrder);
  readonly #cluster = $derived.by(() =>
    this.#how === 'cluster' ? (this.data.clusters.value?.assignment ?? null) : null,
  );
  readonly #order = $derived.by(() =>
    orderedClasses(this.#how, {
      names: this.data.names,
      error: this.#error,
      cluster: this.#cluster,
      confused: this.data.order.value?.order ?? null,
    }),
  );
  readonly #only = $derived.by(() => new Set(this.store.v.onlyClasses));

  readonly matrix: Matrix | null = $derived.by(() => {
    const table = this.data.table.value;
    if (!table || this.#order.length !== classesOf(table)) return null;
    return matrixOf(table, this.#order, this.#only);
  });

  readonly entries = $derived.by(() => {
    const table = this.data.table.value;
    return table && this.matrix ? entriesOf(table, this.matrix) : null;
  });

  readonly #groups = $derived.by(() =>
    this.matrix && this.#cluster ? groupsOf(this.matrix.rows, this.#cluster) : [],
  );

  get extent(): { rows: number; columns: number } {
    return { rows: this.matrix?.rows.length ?? 1, columns: this.matrix?.columns.length ?? 1 };
  }

  readonly window: MatrixWindow = $derived.by(() => {
    const all = this.extent;
    const cells = Math.max(1, all.rows, all.columns);
    const zoomed = this.zoomedTo;
    return zoomed && zoomed.cells < cells ? within(zoomed, all) : { row: 0, column: 0, cells };
  });

  readonly longestName = $derived.by(() => Math.max(4, ...this.data.names.map((name) => name.length)));

  readonly places = $derived.by(() =>
    placesOf(this.width, this.bodyHeight, {
      cells: this.window.cells,
      longestName: this.longestName,
      hasGroups: this.#how === 'cluster',
    }),
  );

  readonly luts = $derived.by(() => lutsOf(this.settings.theme, this.isChange));
  readonly #errorLut = $derived.by(() => lutOf(this.settings.theme.errorRamp));

  readonly scene: Scene | null = $derived.by(() => {
    const overall = this.run.overall.value;
    if (!overall || this.run.dumps === 0 || this.width === 0 || !this.run.hasPredictions) return null;
    return {
      theme: this.settings.theme,
      width: this.width,
      height: this.height,
      places: this.places,
      axis: this.axis,
      overall,
      stages: this.run.info.value?.lr_stages ?? [],
      marks: this.store.v.marks.map((iteration) => nearestDump(this.run.iterations, iteration)),
      table: this.data.table.value,
      matrix: this.matrix,
      entries: this.entries,
      window: this.window,
      isZoomed: this.window.cells < Math.max(this.extent.rows, this.extent.columns),
      isChange: this.isChange,
      groups: this.#groups,
      luts: this.luts,
      errorLut: this.#errorLut,
      nameOf: (label) => this.data.nameOf(label),
    };
  });

  /** Dumps in the zoomed iterations. */
  get shownDumps(): DumpSpan {
    return [Math.ceil(this.zoom[0]), Math.min(this.run.dumps, Math.floor(this.zoom[1]))];
  }
}
