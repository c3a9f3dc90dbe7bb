import { SvelteMap } from 'svelte/reactivity';
import { cellsOf, flipsOf } from '../../kernel/predictions.ts';
import { Part } from '../../part.svelte.ts';
import type { ClassLabels } from '../../source.ts';
import { unowned } from '../../unowned.svelte.ts';
import type { Follower, RunData } from '../frame/run_data.svelte.ts';

/** A class whose images are shown: all that was predicted of its samples, and when these flip. */
class ShownClass {
  readonly part = new Part<ClassLabels>();
  readonly flips = $derived.by(() => {
    const { value } = this.part;
    return value ? flipsOf(cellsOf(value.labels, this.#cls), this.#run.recorded) : [];
  });
  readonly #cls: number;
  readonly #run: RunData;

  constructor(cls: number, run: RunData) {
    this.#cls = cls;
    this.#run = run;
  }
}

/** The samples of the classes whose images are shown, kept up with a live run. */
export class ShownClasses implements Follower {
  readonly opened = new SvelteMap<number, ShownClass>();
  readonly #run: RunData;

  constructor(run: RunData) {
    this.#run = run;
  }

  /** These classes, and no others. */
  ask(classes: readonly number[]): void {
    const { source, id } = this.#run;
    for (const [cls, { part }] of this.opened) {
      if (classes.includes(cls)) continue;
      part.clear();
      this.opened.delete(cls);
    }
    for (const cls of classes) {
      const entry = this.opened.get(cls) ?? unowned(() => new ShownClass(cls, this.#run));
      this.opened.set(cls, entry);
      entry.part.load(`${cls}`, (held, asking) => source.classLabels(id, cls, held, asking));
    }
  }

  grown(): void {
    for (const { part } of this.opened.values()) part.refresh();
  }

  grownLately(): void {
    // All that is shown of a class grows with it at once.
  }

  reconnected(): void {
    for (const { part } of this.opened.values()) if (part.failure) part.retry();
  }
}
