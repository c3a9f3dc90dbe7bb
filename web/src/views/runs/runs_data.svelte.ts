import { Part } from '../../part.svelte.ts';
import type { DataSource, RunList } from '../../source.ts';

/** The runs below the served root, kept up by the server's word. */
export class RunsData {
  readonly list = new Part<RunList>();
  connected = $state(true);
  readonly #source: DataSource;

  constructor(source: DataSource) {
    this.#source = source;
    this.list.load('runs', (_, asking) => source.runs(asking));
  }

  follow(): () => void {
    return this.#source.followRuns({
      onConnection: (connected) => (this.connected = connected),
      onWord: (list) => {
        // The stream carries the runs; the root is known from the first answer.
        const root = list.root ?? this.list.value?.root ?? '';
        this.list.value = { root, runs: list.runs };
        this.list.failure = null;
      },
    });
  }
}
