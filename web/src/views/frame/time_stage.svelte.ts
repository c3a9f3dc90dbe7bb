import { dumpFrom, type Axis, type DumpSpan } from '../../kernel/axis.ts';
import { columnsFor } from '../../kernel/detail.ts';
import { isSuggested, type SetView } from '../../kernel/suggested.ts';
import type { Span } from '../../kernel/link_values.ts';
import type { Look } from '../../detailed.svelte.ts';
import type { Settings } from '../../settings.svelte.ts';
import type { ViewStore } from '../../view.svelte.ts';
import type { Suggested } from './no_anomalies.ts';
import type { RunData } from './run_data.svelte.ts';

/** What a row of pixels that scrolls inside its chart can do under the hand. */
export interface InnerScroll {
  /** First drawn row, as a position, and the largest that it may be. */
  readonly top: number;
  readonly largest: number;
  readonly rowHeight: number;
  setTop(top: number): void;
}

/** A stage of which one axis is the iterations: which are shown, which are brushed, and how far it is scrolled. */
export abstract class TimeStage {
  readonly run: RunData;
  readonly store: ViewStore;
  readonly settings: Settings;

  width = $state(0);
  height = $state(0);
  scroll = $state(0);
  /** The legend is drawn below the axis, because the side panel does not show it. */
  legend = $state(false);
  /** While the hand draws: not yet in the link. */
  draftBrush = $state.raw<DumpSpan | null>(null);
  draftZoom = $state.raw<DumpSpan | null>(null);

  constructor(run: RunData, store: ViewStore, settings: Settings) {
    this.run = run;
    this.store = store;
    this.settings = settings;
  }

  protected abstract margins(width: number): { readonly left: number; readonly right: number };
  abstract readonly bodyHeight: number;
  abstract readonly maxScroll: number;

  /** What a place on the axis is. */
  get unit(): 'dump' | 'iteration' {
    return 'dump';
  }

  /** The link's state, and what it leaves to be suggested. */
  readonly asked: SetView = $derived.by(() => this.run.withSetting(this.store.v));

  get suggested(): Suggested {
    return { settings: this.run.suggestions.value?.settings ?? null, isSet: !isSuggested(this.store.v) };
  }

  readonly zoom: DumpSpan = $derived.by(() => {
    if (this.draftZoom) return this.draftZoom;
    return this.spanOf(this.store.v.zoom) ?? [0, Math.max(1, this.run.dumps)];
  });

  readonly brush: DumpSpan | null = $derived.by(() => this.draftBrush ?? this.spanOf(this.store.v.brush));

  readonly axis: Axis = $derived.by(() => {
    const { left, right } = this.margins(this.width);
    const [d0, d1] = this.zoom;
    const width = Math.max(40, this.width - left - right);
    return { iterations: this.run.iterations, d0, d1, x0: left, width };
  });

  readonly #columns = $derived.by(() => columnsFor(this.axis.width * devicePixelRatio));

  /** What data are asked for: the dumps that are shown once the hand rests. */
  readonly look: Look = $derived.by(() => ({
    columns: this.#columns,
    span: this.spanOf(this.store.v.zoom),
    dumps: this.run.dumps,
  }));

  /** Iterations [a, b) as dumps; null where no dump lies in them. */
  spanOf(span: Span | null): DumpSpan | null {
    if (!span || this.run.dumps === 0) return null;
    const from = dumpFrom(this.run.iterations, span[0]);
    const to = dumpFrom(this.run.iterations, span[1]);
    return to > from ? [from, to] : null;
  }

  /** Dumps [from, to) as iterations, so that the link means the same when the run has grown. */
  iterationsOf([from, to]: DumpSpan): Span {
    const { iterations } = this.run;
    const last = iterations.length - 1;
    const next = to <= last ? iterations[to] : iterations[last] + 1;
    return [iterations[Math.max(0, from)], next];
  }

  scrollTo(row: { readonly y: number; readonly h: number }): void {
    const top = Math.min(row.y, this.maxScroll);
    if (row.y < this.scroll) this.scroll = Math.max(0, top - 4);
    else if (row.y + row.h > this.scroll + this.bodyHeight) {
      this.scroll = Math.max(0, Math.min(this.maxScroll, row.y + row.h - this.bodyHeight + 8));
    }
  }
}
