import { recordedDumps } from '../../kernel/axis.ts';
import type { FlightSummary } from '../../kernel/flights.ts';
import { Part } from '../../part.svelte.ts';
import { isSuggested, withSetting, type SetView, type Suggestions } from '../../kernel/suggested.ts';
import type { View } from '../../kernel/view_state.ts';
import type { Experiment } from '../../kernel/experiments.ts';
import type { DataSource, LiveWord, Overall, RunInfo } from '../../source.ts';
import type { FindingsData } from './findings_data.svelte.ts';
import { unowned } from '../../unowned.svelte.ts';
import { lateScript } from './late_script.ts';

/** Answers that the server must compute anew over the whole run are asked for again at most this often. */
const SLOW_PARTS_MS = 2000;

/** A picture waits so long for the settings that are suggested, and is drawn with others until they are here. */
const SUGGESTION_MS = 3000;

/** Settings are looked for again when the run has grown by this factor: the eye need not follow every dump. */
const SUGGEST_AGAIN = 1.1;

/** What a view does when the run has grown: at once, a little later, and when the server answers again. */
export interface Follower {
  grown(): void;
  grownLately(): void;
  reconnected(): void;
}

/** What all views of one run share: its facts, its iterations, and word of how it grows. */
export class RunData {
  readonly source: DataSource;
  readonly id: string;
  readonly info = new Part<RunInfo>();
  readonly overall = new Part<Overall>();
  /** The iterations that were kept before some dumps; for views that lead there. */
  readonly flights = new Part<readonly FlightSummary[]>();
  /** Windows and thresholds worth looking at; for views that show anomalies. */
  readonly suggestions = new Part<Suggestions>();
  /** What rules find in it: asked for once there is a picture, with the code for it. */
  findings = $state.raw<FindingsData | null>(null);
  readonly findingsParts = new Part<typeof import('./findings_parts.ts')>();
  /** What was tried on filters, by a command; for lists of it. */
  readonly experiments = new Part<readonly Experiment[]>();
  /** Where all runs are; null until the list of runs has come. */
  root = $state<string | null>(null);

  live = $state.raw<LiveWord | null>(null);
  connected = $state(true);
  lastWord = $state.raw<Date | null>(null);
  /** A picture of it was complete: what explains it may come now. */
  hasPicture = $state(false);
  /** The user is drawing a brush or dragging: nothing may move under the hand. */
  paused = $state(false);

  readonly dumps = $derived.by(() => this.overall.value?.iterations.length ?? 0);
  readonly iterations = $derived.by(() => this.overall.value?.iterations.row(0) ?? new Float64Array(0));
  readonly recorded = $derived.by(() => recordedDumps(this.overall.value?.validation.row(0) ?? []));

  readonly #followers = new Set<Follower>();
  /** How often the run had grown when a view was last told. */
  readonly #told = new WeakMap<Follower, number>();
  #grown = 0;
  #hasWaited = $state(false);
  #missed = false;
  #slowTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(source: DataSource, id: string) {
    this.source = source;
    this.id = id;
  }

  /** The run as commands name it. */
  get place(): string {
    const [id] = this.id.split('@');
    return this.root === null ? id : `${this.root.replace(/\/$/, '')}/${id}`;
  }

  get name(): string {
    return this.info.value?.name ?? this.id;
  }

  /** Started, and not one dump yet. */
  get waiting(): boolean {
    return this.info.value?.dumps === 0 && this.dumps === 0;
  }

  get hasPredictions(): boolean {
    return this.info.value?.has_predictions ?? true;
  }

  get settled(): boolean {
    return [this.info, this.overall].every(
      (part) => !part.busy && (part.value !== null || part.failure !== null),
    );
  }

  ask(): void {
    const { source, id } = this;
    this.info.load(id, (_, asking) => source.run(id, asking));
    this.overall.load(id, (held, asking) => source.overall(id, held, asking));
  }

  askFlights(): void {
    this.flights.load(this.id, (_, asking) => this.source.flights(this.id, asking));
  }

  askSuggestions(): void {
    this.suggestions.load(this.id, (_, asking) => {
      setTimeout(() => (this.#hasWaited = true), SUGGESTION_MS);
      return this.source.suggestions(this.id, asking);
    });
  }

  askFindings(): void {
    this.findingsParts.load('code', async () => {
      const parts = await lateScript(import('./findings_parts.ts'));
      this.findings ??= unowned(() => new parts.FindingsData(this.source, this.id));
      this.findings.ask();
      return parts;
    });
  }

  askExperiments(): void {
    this.experiments.load(this.id, (_, asking) => this.source.experiments(this.id, asking));
  }

  /** The first answer is not here yet: what is suggested may still change. */
  get isSuggesting(): boolean {
    return this.suggestions.value === null && this.suggestions.failure === null;
  }

  /** What anomalies are looked for with. */
  withSetting(view: View): SetView {
    return withSetting(view, this.suggestions.value?.settings ?? []);
  }

  /** A view need not draw anomalies yet: what it would draw them with is about to come. */
  awaitsSetting(view: View): boolean {
    return isSuggested(view) && this.isSuggesting && !this.#hasWaited;
  }

  /** Tell a view of growth as long as it is seen, and of what it missed. Returns the function that ends it. */
  tell(follower: Follower): () => void {
    this.#followers.add(follower);
    if ((this.#told.get(follower) ?? this.#grown) !== this.#grown) {
      follower.grown();
      follower.grownLately();
    }
    this.#told.set(follower, this.#grown);
    return () => this.#followers.delete(follower);
  }

  follow(): () => void {
    const stop = this.source.followRun(this.id, {
      onConnection: (connected) => {
        if (connected && !this.connected) this.#reconnected();
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
      this.#slowTimer = undefined;
      stop();
    };
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (this.#missed) this.#catchUp();
  }

  #reconnected(): void {
    for (const part of [this.info, this.overall, this.flights, this.suggestions])
      if (part.failure) part.retry();
    for (const follower of this.#followers) follower.reconnected();
  }

  #catchUp(): void {
    const word = this.live;
    const held = this.overall.value;
    if (!word || !held) return;
    const state = this.info.value?.state;
    if (state && state !== word.state) {
      this.info.refresh();
      this.suggestions.refresh();
      this.findings?.grownLately();
    }
    if (word.iteration === held.iteration && word.branch === held.branch) return;
    if (this.paused) {
      this.#missed = true;
      return;
    }
    this.#missed = false;
    this.overall.refresh();
    this.#grown += 1;
    for (const follower of this.#followers) {
      this.#told.set(follower, this.#grown);
      follower.grown();
    }
    this.#tellLately();
  }

  #tellLately(): void {
    if (this.#slowTimer !== undefined) return;
    this.#slowTimer = setTimeout(() => {
      this.#slowTimer = undefined;
      this.info.refresh();
      this.flights.refresh();
      const known = this.suggestions.value?.dumps ?? 0;
      if (this.dumps >= SUGGEST_AGAIN * known) this.suggestions.refresh();
      for (const follower of this.#followers) follower.grownLately();
    }, SLOW_PARTS_MS);
  }
}
