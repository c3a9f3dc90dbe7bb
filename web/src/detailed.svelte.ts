import type { DumpSpan } from './kernel/axis.ts';
import { covers, rangeAround, type Range } from './kernel/detail.ts';
import { Part } from './part.svelte.ts';
import type { Asking, Detailed } from './source.ts';

/**
 * A part that comes in levels of detail: the whole run, and the ranges that were last looked at more closely.
 *
 * 1. The whole run is asked for in as many columns as the screen has. As long as every dump has one, that is all.
 * 2. Else, where fewer dumps are shown, these are asked for again, with a margin; meanwhile the whole is shown.
 * 3. The last few ranges are kept. What is drawn is the finest of all that covers what is shown.
 * 4. A run that grows may change what a range says (what values are divided by, dumps that are not settled): the newest
 *    range is asked for again, and shown until its successor is here; others are let go.
 */
export type AskDetailed<T> = (range: Range, held: T | null, asking: Asking) => Promise<T>;

/** What is shown: at most so many columns, of these dumps (all where it is null). */
export interface Look {
  readonly columns: number;
  readonly span: DumpSpan | null;
  readonly dumps: number;
}

interface Kept<T> {
  readonly question: string;
  readonly answer: T;
  /** How many dumps were shown when it was asked for. */
  readonly shown: number;
  readonly outdated: boolean;
}

const MOST_KEPT = 3;
/** Where at least so many of the wanted columns are there, or of the dumps that were shown, nothing more is asked for. */
const ENOUGH_COLUMNS = 0.5;
const ENOUGH_DUMPS = 0.75;

export class DetailedPart<T extends Detailed> {
  readonly whole = new Part<T>();
  readonly near = new Part<T>();
  #kept: readonly Kept<T>[] = $state.raw([]);
  #columns = 0;

  load(question: string, look: Look, ask: AskDetailed<T>, keep: 'keep' | 'drop' = 'keep'): void {
    const { whole } = this;
    const isWider = look.columns > this.#columns;
    this.#columns = Math.max(look.columns, this.#columns);
    whole.load(question, (held, asking) => ask({ columns: this.#columns, span: null }, held, asking), keep);
    if (whole.answered !== question || !whole.value || whole.value.detail.level === 1) {
      this.near.clear();
      return;
    }
    if (isWider) whole.refresh();
    this.#loadNear(question, look, ask);
  }

  #loadNear(question: string, { span, dumps, columns }: Look, ask: AskDetailed<T>): void {
    if (!span || this.#isEnough(question, span, columns)) {
      this.near.clear();
      return;
    }
    const range = rangeAround(span, dumps, columns);
    this.near.load(
      `${question} ${range.span} ${range.columns}`,
      async (_, asking) => {
        const answer = await ask(range, null, asking);
        if (!asking.signal.aborted)
          this.#keep({ question, answer, shown: span[1] - span[0], outdated: false });
        return answer;
      },
      'keep',
    );
  }

  /** Nothing finer than what is held is to be had, or nothing that could be seen. */
  #isEnough(question: string, span: DumpSpan, columns: number): boolean {
    const shown = span[1] - span[0];
    return this.#held(question).some(
      ({ answer: { detail }, shown: before, outdated }) =>
        !outdated &&
        covers(detail, span) &&
        (detail.level === 1 ||
          shown / detail.level >= columns * ENOUGH_COLUMNS ||
          shown >= before * ENOUGH_DUMPS),
    );
  }

  /** The answers to a question, the newest first and that of the whole run last. */
  #held(question: string): readonly Kept<T>[] {
    const whole = this.whole.value;
    if (!whole || this.whole.answered !== question) return [];
    const kept = this.#kept.filter((one) => one.question === question && one.answer.branch === whole.branch);
    return [...kept, { question, answer: whole, shown: whole.detail.end, outdated: false }];
  }

  #keep(one: Kept<T>): void {
    const others = this.#held(one.question).filter(
      ({ outdated, answer }) => !outdated && answer !== this.whole.value,
    );
    this.#kept = [one, ...others].slice(0, MOST_KEPT);
  }

  /** The finest that is held of these dumps; as long as a new question is not answered, of the old one. */
  over(span: DumpSpan): T | null {
    const { answered } = this.whole;
    if (answered === null) return null;
    const near = this.#held(answered)
      .map(({ answer }) => answer)
      .filter(({ detail }) => covers(detail, span));
    return (
      near.reduce((best, one) => (one.detail.level < best.detail.level ? one : best), near[0]) ??
      this.whole.value
    );
  }

  /** The run has grown: what comes after what is held. */
  refresh(): void {
    this.whole.refresh();
  }

  /** The run has grown, some time ago. */
  renew(): void {
    this.#kept = this.#kept.slice(0, 1).map((one) => ({ ...one, outdated: true }));
  }

  clear(): void {
    this.whole.clear();
    this.near.clear();
    this.#kept = [];
  }
}
