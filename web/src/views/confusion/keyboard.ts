import { within } from '../../kernel/confusion_raster.ts';
import { toggleMark } from '../frame/time_actions.ts';
import {
  activate,
  clearInnermost,
  stepConfusion,
  stepHandle,
  toggleComparison,
  zoomMatrix,
} from './actions.ts';
import type { Hover } from './hit.ts';
import type { ConfusionStage } from './stage.svelte.ts';

/**
 * The keys of the Confusion view. On the matrix arrows move a cursor from cell to cell; everywhere else they step through
 * the dumps, as they do on the handles of the scrubber.
 */
export class KeyboardCursor {
  constructor(private readonly stage: ConfusionStage) {}

  /** Shows where the cursor is when the keyboard comes to the stage. */
  begin(): void {
    this.stage.hover ??= this.#cursor();
  }

  /** Returns whether the key meant something. */
  press(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { stage } = this;
    const isMatrix = (event.target as HTMLElement | null)?.dataset?.['testid'] === 'stage-canvas';
    const step = event.shiftKey ? 10 : 1;
    const far = Number.MAX_SAFE_INTEGER;
    const dumps: Record<string, () => void> = {
      ArrowLeft: () => stepHandle(stage, 'at', -step),
      ArrowRight: () => stepHandle(stage, 'at', step),
      Home: () => stepHandle(stage, 'at', -far),
      End: () => stepHandle(stage, 'at', far),
    };
    const cells: Record<string, () => void> = {
      ArrowLeft: () => this.#move(0, -step),
      ArrowRight: () => this.#move(0, step),
      ArrowUp: () => this.#move(-step, 0),
      ArrowDown: () => this.#move(step, 0),
      Home: () => this.#move(0, -far),
      End: () => this.#move(0, far),
      Enter: () => activate(stage, this.#cursor()),
    };
    const acts: Record<string, () => void> = {
      ...(isMatrix ? cells : dumps),
      ',': () => stepHandle(stage, 'at', -1),
      '.': () => stepHandle(stage, 'at', 1),
      '<': () => stepHandle(stage, 'at', -10),
      '>': () => stepHandle(stage, 'at', 10),
      c: () => toggleComparison(stage),
      n: () => stepConfusion(stage, event.shiftKey ? -1 : 1),
      p: () => (stage.playing = !stage.playing),
      m: () => stage.at >= 0 && toggleMark(stage, stage.at),
      '+': () => this.#zoom(0.7),
      '=': () => this.#zoom(0.7),
      '-': () => this.#zoom(1 / 0.7),
      Backspace: () => (stage.zoomedTo = null),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    act?.();
    return act !== undefined;
  }

  escape(): boolean {
    return clearInnermost(this.stage);
  }

  #cursor(): Hover {
    const { hover, matrix, store } = this.stage;
    if (hover && hover.row !== null && hover.column !== null) return hover;
    const { cell } = store.v;
    const row = hover?.row ?? Math.max(0, cell ? (matrix?.rows.indexOf(cell[0]) ?? 0) : 0);
    const column = hover?.column ?? Math.max(0, cell ? (matrix?.columns.indexOf(cell[1]) ?? 0) : 0);
    return { area: 'cell', dump: null, row, column };
  }

  #move(down: number, right: number): void {
    const { stage } = this;
    const isNew = stage.hover?.area !== 'cell';
    const cursor = this.#cursor();
    const cut = (place: number, count: number) => Math.max(0, Math.min(count - 1, place));
    const row = cut((cursor.row ?? 0) + (isNew ? 0 : down), stage.extent.rows);
    const column = cut((cursor.column ?? 0) + (isNew ? 0 : right), stage.extent.columns);
    stage.hover = { area: 'cell', dump: null, row, column };
    this.#show(row, column);
  }

  /** A zoomed matrix follows its cursor. */
  #show(row: number, column: number): void {
    const { stage } = this;
    if (!stage.zoomedTo) return;
    const { cells, ...from } = stage.window;
    const follow = (at: number, place: number) => Math.min(place, Math.max(at, place + 1 - cells));
    const window = { row: follow(from.row, row), column: follow(from.column, column), cells };
    stage.zoomedTo = within(window, stage.extent);
  }

  #zoom(factor: number): void {
    const { row, column } = this.#cursor();
    zoomMatrix(this.stage, factor, { row: (row ?? 0) + 0.5, column: (column ?? 0) + 0.5 });
  }
}
