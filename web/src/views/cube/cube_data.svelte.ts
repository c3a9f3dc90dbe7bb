import type { AnomalyCounts } from '../../kernel/anomaly_counts.ts';
import type { DumpSpan } from '../../kernel/axis.ts';
import { CorrelationIndex } from '../../kernel/correlation.ts';
import { networkOf, type Network } from '../../kernel/network.ts';
import type { View } from '../../kernel/view_state.ts';
import { DetailedPart } from '../../detailed.svelte.ts';
import { Part, type AnyPart } from '../../part.svelte.ts';
import type { ClassErrors, Correlation, CorrelationRows } from '../../source.ts';
import { lateScript } from '../frame/late_script.ts';
import type { Follower, RunData } from '../frame/run_data.svelte.ts';
import { belongTogether, questionOf, settingsOf, type CubeLook } from './question.ts';

/** The status of an answer where a run has no network. */
const NOT_FOUND = 404;

/** What is drawn: an answer and its rows; none where they have not come yet, or failed. */
export interface Shown {
  readonly correlation: Correlation;
  readonly rows: CorrelationRows | null;
}

/**
 * Everything that the cube shows of one run, part by part, kept up with a live run.
 *
 * 1. A change of settings asks for the correlation, and once it is here for its rows: which rows fit the screen depends
 *    on how many there are.
 * 2. What is shown changes when both are here: the faces of the cube share their axes at every moment.
 */
export class CubeData implements Follower {
  readonly run: RunData;
  readonly correlation = new Part<Correlation>();
  readonly rows = new DetailedPart<CorrelationRows>();
  readonly errors = new DetailedPart<ClassErrors>();
  readonly answer = new Part<Network>();
  readonly counts = new Part<AnomalyCounts>();
  /** Code that the side panel is completed with. */
  readonly panel = new Part<typeof import('./panel_parts.ts')>();

  #awaits = $state(false);
  #last: Shown | null = null;
  readonly shown: Shown | null = $derived.by(() => {
    const found = this.correlation.value;
    const rows = this.rows.whole.value;
    if (!found) this.#last = null;
    else if (rows && belongTogether(found, rows)) this.#last = { correlation: found, rows };
    else if (this.rows.whole.failure || found.filters.length === 0 || !this.#last)
      this.#last = { correlation: found, rows: null };
    return this.#last;
  });

  /** Look-ups in what is drawn. */
  readonly index = $derived.by(() => (this.shown ? new CorrelationIndex(this.shown.correlation) : null));
  readonly network = $derived.by(() => this.answer.value);

  readonly names = $derived.by(() => {
    const info = this.run.info.value;
    const count = Math.max(info?.class_names.length ?? 0, info?.class_sizes.length ?? 0);
    return Array.from({ length: count }, (_, i) => info?.class_names[i] ?? `class ${i}`);
  });

  constructor(run: RunData) {
    this.run = run;
  }

  nameOf(cls: number): string {
    return this.names[cls] ?? `class ${cls}`;
  }

  layerName(layer: number): string {
    return this.network?.layers[layer]?.name ?? `layer ${layer}`;
  }

  /** Ask for whatever this view needs and does not have. */
  ask(link: View, look: CubeLook): void {
    const { source, id, waiting, info, hasPredictions } = this.run;
    this.run.ask();
    const knows = info.value !== null && !waiting;
    this.#awaits = knows && hasPredictions && this.hasFilters && this.run.awaitsSetting(link);
    if (!knows) return;
    this.answer.load(id, async (_, asking) => networkOf(await source.network(id, asking)));
    if (!hasPredictions || !this.hasFilters) return;
    this.run.askSuggestions();
    this.errors.load(id, look, (range, held, asking) => source.classes(id, range, held, asking));
    this.counts.load(id, (_, asking) => source.anomalyCounts(id, asking));
    if (this.run.awaitsSetting(link)) return;
    const settings = settingsOf(this.run.withSetting(link));
    this.correlation.load(
      questionOf(settings),
      (_, asking) => source.correlation(id, settings, asking),
      'keep',
    );
    this.#askRows(look);
  }

  /** The rows of what is drawn, as closely as they are held for these dumps. */
  rowsOver(span: DumpSpan): CorrelationRows | null {
    if (!this.shown?.rows) return null;
    const near = this.rows.over(span);
    return near && belongTogether(this.shown.correlation, near) ? near : this.shown.rows;
  }

  /** Rows are asked for anew when the run has grown: their order may be another. */
  #askRows({ by, ...look }: CubeLook): void {
    const { source, id } = this.run;
    const found = this.correlation.value;
    if (!found || found.filters.length === 0) {
      this.rows.clear();
      return;
    }
    const { settings, dumps, iteration, branch } = found;
    const kind = by(found);
    this.rows.load(
      `${questionOf(settings)} ${kind} ${dumps} ${iteration} ${branch}`,
      { ...look, dumps },
      (range, _, asking) => source.correlationRows(id, settings, kind, range, asking),
    );
  }

  askPanel(): void {
    this.panel.load('code', () => lateScript(import('./panel_parts.ts')));
  }

  /** False as soon as it is known that the run has none. */
  get hasFilters(): boolean {
    const { answer, network } = this;
    return network === null ? answer.failure?.status !== NOT_FOUND : network.layers.length > 0;
  }

  grown(): void {
    this.errors.refresh();
  }

  grownLately(): void {
    this.errors.renew();
    this.correlation.refresh();
    this.counts.refresh();
  }

  reconnected(): void {
    for (const { part } of this.parts) if (part.failure) part.retry();
  }

  /** Every part, and what it is called where it fails. */
  get parts(): readonly { readonly what: string; readonly part: AnyPart }[] {
    return [
      { what: 'The network', part: this.answer },
      { what: 'The correlation of filters and classes', part: this.correlation },
      { what: 'The anomaly filters over time', part: this.rows.whole },
      { what: 'The anomaly filters over the shown iterations', part: this.rows.near },
      { what: 'The errors of the classes', part: this.errors.whole },
      { what: 'The errors of the classes, closer', part: this.errors.near },
      { what: 'The side panel', part: this.panel },
    ];
  }

  /** Everything that the picture waits for has come or failed. */
  get settled(): boolean {
    const { run } = this;
    if (!run.settled) return false;
    if (!run.info.value || run.waiting) return true;
    // The panel completes a picture that can be used without it.
    const isIdle = this.parts.every(({ part }) => !part.busy || part === this.panel);
    return isIdle && !this.#awaits && this.#isNewest;
  }

  get #isNewest(): boolean {
    return this.rows.whole.failure !== null || (this.shown?.correlation ?? null) === this.correlation.value;
  }

  /** What is shown answers another question than the newest one; a run that grows makes nothing stale. */
  get stale(): boolean {
    const { correlation, shown } = this;
    if (!shown || !correlation.value) return false;
    return (
      correlation.busy || questionOf(shown.correlation.settings) !== questionOf(correlation.value.settings)
    );
  }
}
