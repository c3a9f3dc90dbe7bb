import { shapeOf, type GraphBox, type GraphLayout } from '../../kernel/graph_layout.ts';
import type { Network } from '../../kernel/network.ts';
import { SourceError } from '../../source.ts';
import type { GraphAnswer } from './graph_worker.ts';

const SLOW_MS = 300;
/** A graph that is opened again is there at once. */
const KNOWN = new WeakMap<Network, GraphLayout>();

/** The layout of one graph, as a worker makes it. */
export class GraphTask {
  layout = $state.raw<GraphLayout | null>(null);
  failure = $state.raw<SourceError | null>(null);
  /** Under way for so long that it is worth a word. */
  slow = $state(false);

  #worker: Worker | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  run(network: Network, boxes: readonly GraphBox[]): void {
    this.stop();
    this.failure = null;
    this.layout = KNOWN.get(network) ?? null;
    if (this.layout) return;
    this.#timer = setTimeout(() => (this.slow = true), SLOW_MS);
    const worker = new Worker(new URL('./graph_worker.ts', import.meta.url), { type: 'module' });
    this.#worker = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<GraphAnswer>) => {
      this.stop();
      if ('failure' in data) this.#fail(data.failure, 'This is an error in the page; please report it.');
      else {
        KNOWN.set(network, data.layout);
        this.layout = data.layout;
      }
    });
    worker.addEventListener('error', ({ message }: ErrorEvent) => {
      this.stop();
      // The browser says nothing about a script that it could not load.
      this.#fail(message || 'Its script did not start.', 'Is the server still running?');
    });
    worker.postMessage(shapeOf(network, boxes));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.slow = false;
    this.#worker?.terminate();
    this.#worker = null;
  }

  #fail(message: string, remedy: string): void {
    this.failure = new SourceError(message, '', 0, remedy);
  }
}
