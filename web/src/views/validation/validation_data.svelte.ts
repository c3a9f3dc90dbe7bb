import { SvelteMap } from 'svelte/reactivity';
import { byClass, restricted, type AnomalyRestriction } from '../../kernel/anomalies.ts';
import type { AnomalyCounts } from '../../kernel/anomaly_counts.ts';
import { UNDEFINED } from '../../kernel/predictions.ts';
import type { SetView } from '../../kernel/suggested.ts';
import type { View } from '../../kernel/view_state.ts';
import { DetailedPart, type Look } from '../../detailed.svelte.ts';
import { Part } from '../../part.svelte.ts';
import type { Anomalies, ClassErrors, Clusters, SampleHistory } from '../../source.ts';
import { unowned } from '../../unowned.svelte.ts';
import { lateScript } from '../frame/late_script.ts';
import type { Follower, RunData } from '../frame/run_data.svelte.ts';
import { OpenedClass } from './opened_class.svelte.ts';

/** Everything that the Validation view shows of one run, part by part, kept up with a live run. */
export class ValidationData implements Follower {
  readonly run: RunData;
  readonly classes = new DetailedPart<ClassErrors>();
  /** The newest dump alone, where a column of `classes` stands for several. */
  readonly newest = new Part<ClassErrors>();
  readonly clusters = new Part<Clusters>();
  readonly anomalies = new Part<Anomalies>();
  readonly counts = new Part<AnomalyCounts>();
  readonly sample = new Part<SampleHistory>();
  /** The code that tells of a sample. */
  readonly sampleDetail = new Part<typeof import('../frame/SampleDetail.svelte')>();
  readonly opened = new SvelteMap<number, OpenedClass>();

  readonly #byClass = $derived.by(() => {
    const value = this.anomalies.value;
    return value ? byClass(value.table) : null;
  });
  #awaits = $state(false);
  #restriction = $state.raw<AnomalyRestriction>({ rule: 'either', classes: new Set() });
  /** Of the classes, and by the rules, that are looked at. */
  readonly anomaliesByClass = $derived.by(() => {
    const { value } = this.anomalies;
    return this.#byClass && value ? restricted(this.#byClass, this.#restriction, value.threshold) : null;
  });
  readonly names = $derived.by(() => {
    const info = this.run.info.value;
    const count = this.classes.whole.value?.error.rows ?? info?.class_names.length ?? 0;
    return Array.from({ length: count }, (_, i) => info?.class_names[i] ?? `class ${i}`);
  });
  /** First sample of each class, and the number of samples at the end. */
  readonly firstSamples = $derived.by(() => {
    const firsts = [0];
    for (const size of this.run.info.value?.class_sizes ?? []) firsts.push(firsts[firsts.length - 1] + size);
    return firsts;
  });

  constructor(run: RunData) {
    this.run = run;
  }

  /** A prediction may name a class that the run does not list. */
  nameOf(cls: number): string {
    return cls === UNDEFINED ? 'no number (NaN)' : (this.names[cls] ?? `class ${cls}`);
  }

  classOf(sample: number): number {
    const firsts = this.firstSamples;
    for (let cls = 0; cls + 1 < firsts.length; cls++)
      if (sample >= firsts[cls] && sample < firsts[cls + 1]) return cls;
    return -1;
  }

  /** Ask for whatever this view needs and does not have; `look` is how closely errors are looked at. */
  ask(link: View, look: Look): void {
    const { source, id: run, info, waiting, hasPredictions } = this.run;
    const view = this.run.withSetting(link);
    this.#restriction = { rule: view.rule, classes: new Set(view.onlyClasses) };
    this.run.ask();
    const knows = info.value !== null && !waiting && hasPredictions;
    this.#awaits = knows && this.run.awaitsSetting(link);
    if (!knows) return;
    this.run.askSuggestions();
    this.classes.load(run, look, (range, held, asking) => source.classes(run, range, held, asking), 'drop');
    this.#askNewest();
    this.clusters.load(`${view.k}`, (_, asking) => source.clusters(run, view.k, asking), 'keep');
    this.counts.load(run, (_, asking) => source.anomalyCounts(run, asking));
    this.#askSample(view);
    if (this.run.awaitsSetting(link)) return;
    this.anomalies.load(
      `${view.win} ${view.th}`,
      (_, asking) => source.anomalies(run, view.win, view.th / 100, asking),
      'keep',
    );
    this.#askOpened(view, look);
  }

  #askNewest(): void {
    const { source, id } = this.run;
    const detail = this.classes.whole.value?.detail;
    if (!detail || detail.level === 1) this.newest.clear();
    else {
      const { end } = detail;
      const range = { columns: 1, span: [end - 1, end] } as const;
      this.newest.load(`${end}`, (_, asking) => source.classes(id, range, null, asking), 'keep');
    }
  }

  #askOpened(view: SetView, look: Look): void {
    const wanted = new Set(view.classes);
    if (view.anomaly) wanted.add(view.anomaly[0]);
    for (const cls of this.opened.keys()) if (!wanted.has(cls)) this.#close(cls);
    const count = this.names.length;
    for (const cls of wanted) if (cls < count) this.#open(cls).ask(view, look);
  }

  #askSample({ sample }: View): void {
    if (sample === null) this.sample.clear();
    else {
      this.sampleDetail.load('code', () => lateScript(import('../frame/SampleDetail.svelte')));
      this.sample.load(
        `${sample}`,
        (_, asking) => this.run.source.sample(this.run.id, sample, asking),
        'keep',
      );
    }
  }

  #open(cls: number): OpenedClass {
    const entry = this.opened.get(cls) ?? unowned(() => new OpenedClass(cls, this.run));
    this.opened.set(cls, entry);
    return entry;
  }

  #close(cls: number): void {
    this.opened.get(cls)?.clear();
    this.opened.delete(cls);
  }

  grown(): void {
    this.classes.refresh();
    for (const entry of this.opened.values()) entry.grown();
  }

  grownLately(): void {
    for (const part of [this.clusters, this.anomalies, this.counts, this.newest]) part.refresh();
    this.classes.renew();
    for (const entry of this.opened.values()) entry.grownLately();
    if (this.sample.value) this.sample.refresh();
  }

  reconnected(): void {
    for (const part of this.#parts) if (part.failure) part.retry();
  }

  get #parts() {
    return [
      this.classes.whole,
      this.classes.near,
      this.newest,
      this.clusters,
      this.anomalies,
      this.counts,
      this.sample,
      this.sampleDetail,
      ...[...this.opened.values()].flatMap((entry) => entry.parts),
    ];
  }

  /** Everything that the picture waits for has come or failed. */
  get settled(): boolean {
    const { run } = this;
    if (!run.settled) return false;
    if (!run.info.value || run.waiting || !run.hasPredictions) return true;
    return !this.#awaits && this.#parts.every((part) => !part.busy);
  }

  get stale(): boolean {
    return [this.clusters, this.anomalies].some((part) => part.busy && part.value !== null);
  }
}
