import { SourceError, type Asking } from './source.ts';

/**
 * One part of the page and the answer it waits for. A part that fails says so by itself; the others go on.
 *
 * 1. `load` asks a new question: the one under way is given up; the old value stays until the new one is here.
 * 2. `refresh` asks the same question again (the run has grown): one at a time; requests meanwhile become one more.
 */
export type Ask<T> = (held: T | null, asking: Asking) => Promise<T>;

/** A part, whatever its answer is. */
export type AnyPart = Pick<Part<unknown>, 'busy' | 'failure' | 'retry'>;

export class Part<T> {
  value = $state.raw<T | null>(null);
  failure = $state.raw<SourceError | null>(null);
  /** A new question is under way, so what is shown is out of date. */
  busy = $state(false);
  /** Waiting for longer than 300 ms: worth a word. */
  slow = $state(false);
  bytes = $state(0);

  #question: string | null = null;
  #answered: string | null = null;
  #ask: Ask<T> | null = null;
  #abort: AbortController | null = null;
  #again = false;

  /** The question that the value answers: not the newest one, while an old value stays. */
  get answered(): string | null {
    return this.value === null ? null : this.#answered;
  }

  load(question: string, ask: Ask<T>, keep: 'keep' | 'drop' = 'drop'): void {
    if (question === this.#question) return;
    this.#question = question;
    this.#ask = ask;
    this.#abort?.abort();
    if (keep === 'drop') this.value = null;
    this.busy = true;
    void this.#run(null);
  }

  refresh(): void {
    if (this.#abort) this.#again = true;
    else if (this.#ask) void this.#run(this.#held());
  }

  retry(): void {
    if (!this.#ask) return;
    this.#abort?.abort();
    this.busy = true;
    void this.#run(null);
  }

  clear(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.#question = null;
    this.#ask = null;
    this.value = null;
    this.failure = null;
    this.busy = false;
    this.slow = false;
  }

  async #run(held: T | null): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    this.#again = false;
    this.bytes = 0;
    const timer = setTimeout(() => (this.slow = this.busy), 300);
    try {
      const value = await (this.#ask as Ask<T>)(held, {
        signal: abort.signal,
        onProgress: (bytes) => {
          if (this.slow) this.bytes = bytes;
        },
      });
      if (abort.signal.aborted) return;
      this.#answered = this.#question;
      this.value = value;
      this.failure = null;
    } catch (error) {
      if (abort.signal.aborted) return;
      this.failure = asFailure(error);
    } finally {
      clearTimeout(timer);
      if (this.#abort === abort) this.#finish();
    }
  }

  #finish(): void {
    this.#abort = null;
    this.busy = false;
    this.slow = false;
    if (this.#again && !this.failure) void this.#run(this.#held());
  }

  /** An old value that stayed because its successor failed answers another question: nothing can be appended to it. */
  #held(): T | null {
    return this.#answered === this.#question ? this.value : null;
  }
}

function asFailure(error: unknown): SourceError {
  if (error instanceof SourceError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new SourceError(message, '', 0, 'This is an error in the page; please report it.');
}
