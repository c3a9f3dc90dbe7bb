import { Part } from '../../part.svelte.ts';
import type { Findings } from '../../kernel/findings.ts';
import type { DataSource } from '../../source.ts';
import type { Follower } from './run_data.svelte.ts';

/**
 * What rules find in the run, kept up with a live one.
 *
 * 1. The server reads much of the run for it, so it is asked again, at most, some time after the last answer: the
 *    longer that took, the later. All dumps that come meanwhile are one question.
 * 2. What was not among the findings before is new until it has been seen.
 */
const PAUSE_MS = 3000;

export class FindingsData implements Follower {
  readonly part = new Part<Findings>();
  readonly #source: DataSource;
  readonly #id: string;
  #seen = $state.raw<ReadonlySet<string> | null>(null);
  #due = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(source: DataSource, id: string) {
    this.#source = source;
    this.#id = id;
  }

  readonly all = $derived.by(() => this.part.value?.findings ?? []);

  readonly fresh: ReadonlySet<string> = $derived.by(() => {
    const seen = this.#seen;
    return new Set(this.all.map(({ key }) => key).filter((key) => seen !== null && !seen.has(key)));
  });

  ask(): void {
    this.part.load(this.#id, async (_, asking) => {
      const start = performance.now();
      const found = await this.#source.findings(this.#id, asking);
      const end = performance.now();
      this.#due = end + Math.max(PAUSE_MS, end - start);
      this.#seen ??= new Set(found.findings.map(({ key }) => key));
      return found;
    });
  }

  /** The list was looked at. */
  see(): void {
    if (this.fresh.size > 0) this.#seen = new Set(this.all.map(({ key }) => key));
  }

  grown(): void {}

  grownLately(): void {
    if (this.#timer !== undefined || this.part.value === null) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.part.refresh();
      },
      Math.max(0, this.#due - performance.now()),
    );
  }

  reconnected(): void {
    if (this.part.failure) this.part.retry();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
