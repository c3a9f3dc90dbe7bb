import { decode, encode, onlyChange, type View } from './kernel/view_state.ts';

/**
 * The one state of the page that a link can hold. Every change is a finished gesture and one entry of the history;
 * repeated steps of one control within 800 ms share an entry, so that Back undoes what the user thinks of as one thing.
 */
const COALESCE_MS = 800;
const STEPPED: ReadonlySet<keyof View | null> = new Set([
  'k',
  'win',
  'th',
  'rowHeight',
  'zoom',
  'anomaly',
  'bands',
  'filterHeight',
  'top',
  'filter',
  'above',
  'appears',
  'depth',
  'flightZoom',
  'at',
  'to',
  'cell',
]);

export interface ViewStore {
  readonly v: View;
  commit(change: Partial<View>): void;
  /** Correct the state without a new entry: what a link named may not exist. */
  amend(change: Partial<View>): void;
}

/** The state that is in the address of the page. */
export class LinkStore implements ViewStore {
  v = $state.raw<View>(decode(location.search));
  #lastKey: keyof View | null = null;
  #lastTime = 0;

  constructor() {
    addEventListener('popstate', () => {
      this.#lastKey = null;
      this.v = decode(location.search);
    });
  }

  commit(change: Partial<View>): void {
    const next = { ...this.v, ...change };
    const address = location.pathname + encode(next);
    const key = onlyChange(this.v, next);
    if (encode(next) === encode(this.v)) return;
    const now = performance.now();
    const same = STEPPED.has(key) && key === this.#lastKey && now - this.#lastTime < COALESCE_MS;
    history[same ? 'replaceState' : 'pushState'](null, '', address);
    this.#lastKey = key;
    this.#lastTime = now;
    this.v = next;
  }

  amend(change: Partial<View>): void {
    const next = { ...this.v, ...change };
    history.replaceState(null, '', location.pathname + encode(next));
    this.v = next;
  }
}
