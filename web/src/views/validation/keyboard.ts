import type { PixelsRow } from '../../kernel/layout.ts';
import {
  activate,
  clearInnermost,
  commitBrush,
  stepAnomaly,
  toggleMark,
  unzoom,
  zoomedBy,
  zoomTo,
  zoomToBrush,
} from './actions.ts';
import type { Hover } from './hit.ts';
import { rowKey, sampleHeight } from './scene.ts';
import type { StageState } from './stage.svelte.ts';

/** The cursor of the stage, moved by keys. It is the same thing as the hover, so both show the same values. */
export class KeyboardCursor {
  readonly #stage: StageState;
  #brushFrom: number | null = null;

  constructor(stage: StageState) {
    this.#stage = stage;
  }

  /** Shows where the cursor is when the keyboard comes to the stage. */
  begin(): void {
    this.#stage.hover ??= this.#cursor();
  }

  /** Returns whether the key meant something. */
  press(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const step = event.shiftKey ? 10 : 1;
    const acts: Record<string, () => void> = {
      ArrowLeft: () => this.#moveDump(-step),
      ArrowRight: () => this.#moveDump(step),
      ArrowUp: () => this.#moveRow(-step),
      ArrowDown: () => this.#moveRow(step),
      Home: () => this.#setDump(Math.ceil(this.#stage.zoom[0])),
      End: () => this.#setDump(Math.floor(this.#stage.zoom[1]) - 1),
      Enter: () => activate(this.#stage, this.#cursor()),
      b: () => this.#brush(),
      m: () => this.#mark(),
      n: () => this.#anomaly(event.shiftKey ? -1 : 1),
      z: () => zoomToBrush(this.#stage),
      '+': () => this.#zoom(0.5),
      '=': () => this.#zoom(0.5),
      '-': () => this.#zoom(2),
      Backspace: () => unzoom(this.#stage),
      PageDown: () => this.#scroll(1),
      PageUp: () => this.#scroll(-1),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    act?.();
    return act !== undefined;
  }

  escape(): boolean {
    if (this.#brushFrom !== null) this.#stage.data.resume();
    this.#brushFrom = null;
    return clearInnermost(this.#stage);
  }

  #scroll(pages: number): void {
    const { scroll, bodyHeight, maxScroll } = this.#stage;
    this.#stage.scroll = Math.max(0, Math.min(maxScroll, scroll + pages * bodyHeight * 0.9));
  }

  #cursor(): Hover {
    const held = this.#stage.hover;
    if (held && held.dump !== null && held.area !== 'none') return held;
    const dump = Math.max(
      Math.ceil(this.#stage.zoom[0]),
      Math.min(this.#stage.data.dumps, this.#stage.zoom[1]) - 1,
    );
    return {
      area: 'rows',
      dump,
      row: held?.row ?? this.#stage.layout.rows[0] ?? null,
      position: null,
      glyph: null,
    };
  }

  #setDump(dump: number): void {
    const [d0, d1] = this.#stage.zoom;
    const last = Math.min(this.#stage.data.dumps, Math.floor(d1)) - 1;
    const cut = Math.max(Math.ceil(d0), Math.min(last, dump));
    const cursor = this.#cursor();
    this.#stage.hover = { ...cursor, dump: cut, glyph: null };
    const from = this.#brushFrom;
    if (from !== null) this.#stage.draftBrush = [Math.min(from, cut), Math.max(from, cut) + 1];
  }

  #moveDump(step: number): void {
    const held = this.#stage.hover;
    const cursor = this.#cursor();
    this.#setDump(
      held?.dump === null || held === null ? (cursor.dump as number) : (cursor.dump as number) + step,
    );
  }

  /** Through rows, and through the samples of a pixel chart one by one. */
  #moveRow(step: number): void {
    const stage = this.#stage;
    const rows = stage.layout.rows;
    const cursor = this.#cursor();
    if (rows.length === 0) return;
    if (cursor.row?.kind === 'pixels' && cursor.position !== null) {
      const position = cursor.position + step;
      if (position >= 0 && position < cursor.row.samples) {
        this.#showSample(cursor.row, position);
        stage.hover = { ...cursor, position, glyph: null };
        return;
      }
    }
    const key = cursor.row && rowKey(cursor.row);
    const at = rows.findIndex((row) => rowKey(row) === key);
    const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))];
    const position = next.kind === 'pixels' ? (step > 0 ? 0 : next.samples - 1) : null;
    stage.scrollTo(next);
    if (next.kind === 'pixels' && position !== null) this.#showSample(next, position);
    stage.hover = { ...cursor, area: 'rows', row: next, position, glyph: null };
  }

  #showSample(row: PixelsRow, position: number): void {
    const shown = row.h / sampleHeight(row);
    const top = this.#stage.chartTop(row);
    if (position < top) this.#stage.setChartTop(row, position);
    else if (position + 1 > top + shown) this.#stage.setChartTop(row, position + 1 - shown);
  }

  #brush(): void {
    const dump = this.#cursor().dump as number;
    const draft = this.#stage.draftBrush;
    if (this.#brushFrom === null) {
      this.#brushFrom = dump;
      this.#stage.draftBrush = [dump, dump + 1];
      this.#stage.data.pause();
      return;
    }
    this.#brushFrom = null;
    if (draft) commitBrush(this.#stage, draft);
    this.#stage.draftBrush = null;
    this.#stage.data.resume();
  }

  #mark(): void {
    toggleMark(this.#stage, this.#cursor().dump as number);
  }

  #anomaly(direction: 1 | -1): void {
    const cursor = this.#cursor();
    const row = cursor.row;
    if (!row || row.kind === 'cluster') return;
    const from = this.#stage.store.v.anomaly?.[0] === row.cls ? this.#stage.anomalyDump : -1;
    const found = stepAnomaly(this.#stage, row.cls, from < 0 && direction < 0 ? Infinity : from, direction);
    if (found) this.#stage.hover = { ...cursor, dump: found.dump, glyph: null };
  }

  #zoom(factor: number): void {
    const around = (this.#cursor().dump as number) + 0.5;
    zoomTo(this.#stage, zoomedBy(this.#stage, factor, around));
  }
}
