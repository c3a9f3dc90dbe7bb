import { SvelteMap } from 'svelte/reactivity';
import type { Follower, RunData } from '../frame/run_data.svelte.ts';
import { unowned } from '../../unowned.svelte.ts';
import { OpenedClass } from '../validation/opened_class.svelte.ts';

/** The samples of the classes whose images are shown, kept up with a live run. */
export class ShownClasses implements Follower {
  readonly opened = new SvelteMap<number, OpenedClass>();
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
      const entry = this.opened.get(cls) ?? unowned(() => new OpenedClass(cls, () => this.#run.recorded));
      this.opened.set(cls, entry);
      entry.part.load(`${cls}`, (held, asking) => source.classSamples(id, cls, held, asking));
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
