import { commitBrush, toggleMark, unzoom, zoomedBy, zoomTo, zoomToBrush } from './time_actions.ts';
import type { TimeHover } from './time_gestures.ts';
import type { TimeStage } from './time_stage.svelte.ts';

/**
 * The cursor of a stage, moved by keys. It is the same thing as the hover, so both show the same values. A view says
 * where the cursor begins, how it moves through rows, and what its own keys do.
 */
export abstract class TimeCursor<H extends TimeHover, S extends TimeStage> {
  #brushFrom: number | null = null;

  constructor(protected readonly stage: S) {}

  protected abstract get hover(): H | null;
  protected abstract set hover(hover: H | null);
  /** The place of the cursor where nothing is hovered yet. */
  protected abstract start(dump: number): H;
  protected abstract atDump(hover: H, dump: number): H;
  protected abstract moveRow(cursor: H, step: number): void;
  protected abstract activate(cursor: H, alt: boolean): void;
  protected abstract clearInnermost(): boolean;
  protected abstract ownKeys(event: KeyboardEvent): Readonly<Record<string, () => void>>;

  /** Shows where the cursor is when the keyboard comes to the stage. */
  begin(): void {
    this.hover ??= this.cursor();
  }

  /** Returns whether the key meant something. */
  press(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey || (event.altKey && event.key !== 'Enter')) return false;
    const step = event.shiftKey ? 10 : 1;
    const { stage } = this;
    const acts: Record<string, () => void> = {
      ArrowLeft: () => this.#moveDump(-step),
      ArrowRight: () => this.#moveDump(step),
      ArrowUp: () => this.moveRow(this.cursor(), -step),
      ArrowDown: () => this.moveRow(this.cursor(), step),
      Home: () => this.setDump(Math.ceil(stage.zoom[0])),
      End: () => this.setDump(Math.floor(stage.zoom[1]) - 1),
      Enter: () => this.activate(this.cursor(), event.altKey),
      b: () => this.#brush(),
      m: () => toggleMark(stage, this.cursor().dump as number),
      z: () => zoomToBrush(stage),
      '+': () => this.#zoom(0.5),
      '=': () => this.#zoom(0.5),
      '-': () => this.#zoom(2),
      Backspace: () => unzoom(stage),
      PageDown: () => this.#scroll(1),
      PageUp: () => this.#scroll(-1),
      ...this.ownKeys(event),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    act?.();
    return act !== undefined;
  }

  escape(): boolean {
    if (this.#brushFrom !== null) this.stage.run.resume();
    this.#brushFrom = null;
    if (this.stage.draftBrush === null) return this.clearInnermost();
    this.stage.draftBrush = null;
    return true;
  }

  protected cursor(): H {
    const held = this.hover;
    if (held && held.dump !== null) return held;
    const { zoom, run } = this.stage;
    const dump = Math.max(Math.ceil(zoom[0]), Math.min(run.dumps, zoom[1]) - 1);
    return held ? this.atDump(held, dump) : this.start(dump);
  }

  protected setDump(dump: number): void {
    const [d0, d1] = this.stage.zoom;
    const last = Math.min(this.stage.run.dumps, Math.floor(d1)) - 1;
    const cut = Math.max(Math.ceil(d0), Math.min(last, dump));
    this.hover = this.atDump(this.cursor(), cut);
    const from = this.#brushFrom;
    if (from !== null) this.stage.draftBrush = [Math.min(from, cut), Math.max(from, cut) + 1];
  }

  #moveDump(step: number): void {
    const isNew = this.hover?.dump === null || this.hover === null;
    this.setDump((this.cursor().dump as number) + (isNew ? 0 : step));
  }

  #scroll(pages: number): void {
    const { scroll, bodyHeight, maxScroll } = this.stage;
    this.stage.scroll = Math.max(0, Math.min(maxScroll, scroll + pages * bodyHeight * 0.9));
  }

  #brush(): void {
    const dump = this.cursor().dump as number;
    const draft = this.stage.draftBrush;
    if (this.#brushFrom === null) {
      this.#brushFrom = dump;
      this.stage.draftBrush = [dump, dump + 1];
      this.stage.run.pause();
      return;
    }
    this.#brushFrom = null;
    if (draft) commitBrush(this.stage, draft);
    this.stage.draftBrush = null;
    this.stage.run.resume();
  }

  #zoom(factor: number): void {
    const around = (this.cursor().dump as number) + 0.5;
    zoomTo(this.stage, zoomedBy(this.stage, factor, around));
  }
}
