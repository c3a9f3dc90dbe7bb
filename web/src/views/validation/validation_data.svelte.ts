import { SvelteMap } from 'svelte/reactivity';
import { byClass } from '../../kernel/anomalies.ts';
import type { AnomalyCounts } from '../../kernel/anomaly_counts.ts';
import { recordedDumps } from '../../kernel/predictions.ts';
import type { View } from '../../kernel/view_state.ts';
import { Part } from '../../part.svelte.ts';
import type {
  Anomalies,
  ClassErrors,
  Clusters,
  DataSource,
  LiveWord,
  Overall,
  RunInfo,
  SampleHistory,
} from '../../source.ts';
import { OpenedClass } from './opened_class.svelte.ts';

/** Answers that the server must compute anew over all classes are asked for again at most this often. */
const SLOW_PARTS_MS = 2000;

/** Everything that the Validation view shows of one run, part by part, kept up with a live run. */
export class ValidationData {
  readonly source: DataSource;
  readonly run: string;
  readonly info = new Part<RunInfo>();
  readonly overall = new Part<Overall>();
  readonly classes = new Part<ClassErrors>();
  readonly clusters = new Part<Clusters>();
  readonly anomalies = new Part<Anomalies>();
  readonly counts = new Part<AnomalyCounts>();
  readonly sample = new Part<SampleHistory>();
  readonly opened = new SvelteMap<number, OpenedClass>();

  live = $state.raw<LiveWord | null>(null);
  connected = $state(true);
  lastWord = $state.raw<Date | null>(null);
  /** The user is drawing a brush or dragging: nothing may move under the hand. */
  paused = $state(false);

  readonly dumps = $derived.by(() => this.overall.value?.iterations.length ?? 0);
  readonly iterations = $derived.by(() => this.overall.value?.iterations.row(0) ?? new Float64Array(0));
  readonly recorded = $derived.by(() => recordedDumps(this.overall.value?.validation.row(0) ?? []));
  readonly anomaliesByClass = $derived.by(() => {
    const value = this.anomalies.value;
    return value ? byClass(value.table) : null;
  });
  readonly names = $derived.by(() => {
    const info = this.info.value;
    const count = this.classes.value?.error.rows ?? info?.class_names.length ?? 0;
    return Array.from({ length: count }, (_, i) => info?.class_names[i] ?? `class ${i}`);
  });
  /** First sample of each class, and the number of samples at the end. */
  readonly firstSamples = $derived.by(() => {
    const firsts = [0];
    for (const size of this.info.value?.class_sizes ?? []) firsts.push(firsts[firsts.length - 1] + size);
    return firsts;
  });

  #missed = false;
  #slowTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(source: DataSource, run: string) {
    this.source = source;
    this.run = run;
  }

  /** Started, and not one dump yet. */
  get waiting(): boolean {
    return this.info.value?.dumps === 0 && this.dumps === 0;
  }

  get hasPredictions(): boolean {
    return this.info.value?.has_predictions ?? true;
  }

  /** A prediction may name a class that the run does not list. */
  nameOf(cls: number): string {
    return this.names[cls] ?? `class ${cls}`;
  }

  classOf(sample: number): number {
    const firsts = this.firstSamples;
    for (let cls = 0; cls + 1 < firsts.length; cls++)
      if (sample >= firsts[cls] && sample < firsts[cls + 1]) return cls;
    return -1;
  }

  /** Ask for whatever this view needs and does not have. */
  ask(view: View): void {
    const { source, run } = this;
    this.info.load(run, (_, asking) => source.run(run, asking));
    this.overall.load(run, (held, asking) => source.overall(run, held, asking));
    if (this.waiting || !this.info.value || !this.hasPredictions) return;
    this.classes.load(run, (held, asking) => source.classes(run, held, asking));
    this.clusters.load(`${view.k}`, (_, asking) => source.clusters(run, view.k, asking), 'keep');
    this.anomalies.load(
      `${view.win} ${view.th}`,
      (_, asking) => source.anomalies(run, view.win, view.th / 100, asking),
      'keep',
    );
    this.counts.load(run, (_, asking) => source.anomalyCounts(run, asking));
    this.#askSelected(view);
  }

  #askSelected(view: View): void {
    const wanted = new Set(view.classes);
    if (view.anomaly) wanted.add(view.anomaly[0]);
    for (const cls of this.opened.keys()) if (!wanted.has(cls)) this.#close(cls);
    const count = this.names.length;
    for (const cls of wanted) if (cls < count) this.#open(cls);
    const sample = view.sample;
    if (sample === null) this.sample.clear();
    else {
      this.sample.load(`${sample}`, (_, asking) => this.source.sample(this.run, sample, asking), 'keep');
    }
  }

  #open(cls: number): void {
    let entry = this.opened.get(cls);
    if (!entry) {
      entry = new OpenedClass(cls, () => this.recorded);
      this.opened.set(cls, entry);
    }
    entry.part.load(`${cls}`, (held, asking) => this.source.classSamples(this.run, cls, held, asking));
  }

  #close(cls: number): void {
    this.opened.get(cls)?.part.clear();
    this.opened.delete(cls);
  }

  follow(): () => void {
    const stop = this.source.followRun(this.run, {
      onConnection: (connected) => {
        if (connected && !this.connected) this.#askAgainWhatFailed();
        this.connected = connected;
      },
      onWord: (word) => {
        this.live = word;
        this.lastWord = new Date();
        this.#catchUp();
      },
    });
    return () => {
      clearTimeout(this.#slowTimer);
      stop();
    };
  }

  #askAgainWhatFailed(): void {
    const parts = [...this.#parts, ...[...this.opened.values()].map((entry) => entry.part)];
    for (const part of parts) if (part.failure) part.retry();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (this.#missed) this.#catchUp();
  }

  #catchUp(): void {
    const word = this.live;
    const held = this.overall.value;
    if (!word || !held) return;
    const state = this.info.value?.state;
    if (state && state !== word.state) this.info.refresh();
    if (word.iteration === held.iteration && word.branch === held.branch) return;
    if (this.paused) {
      this.#missed = true;
      return;
    }
    this.#missed = false;
    this.overall.refresh();
    this.classes.refresh();
    for (const entry of this.opened.values()) entry.part.refresh();
    this.#refreshSlowParts();
  }

  #refreshSlowParts(): void {
    if (this.#slowTimer !== undefined) return;
    this.#slowTimer = setTimeout(() => {
      this.#slowTimer = undefined;
      for (const part of [this.info, this.clusters, this.anomalies, this.counts]) part.refresh();
      if (this.sample.value) this.sample.refresh();
    }, SLOW_PARTS_MS);
  }

  get #parts() {
    return [this.info, this.overall, this.classes, this.clusters, this.anomalies, this.counts, this.sample];
  }

  /** Everything that the picture waits for has come or failed. */
  get settled(): boolean {
    const parts = this.#parts;
    const asked =
      !this.info.value || this.waiting || !this.hasPredictions ? [this.info, this.overall] : parts;
    const done = (part: { busy: boolean; value: unknown; failure: unknown }) => !part.busy;
    const known = (part: { value: unknown; failure: unknown }) =>
      part.value !== null || part.failure !== null;
    return (
      asked.every(done) &&
      known(this.info) &&
      known(this.overall) &&
      [...this.opened.values()].every((o) => done(o.part))
    );
  }

  get stale(): boolean {
    return [this.clusters, this.anomalies].some((part) => part.busy && part.value !== null);
  }
}
