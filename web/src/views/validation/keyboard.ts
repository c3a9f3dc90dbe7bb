import type { PixelsRow } from '../../kernel/layout.ts';
import { TimeCursor } from '../frame/time_cursor.ts';
import { activate, clearInnermost, stepAnomaly } from './actions.ts';
import type { Hover } from './hit.ts';
import { rowKey, sampleHeight } from './scene.ts';
import type { StageState } from './stage.svelte.ts';

/** The cursor of the Validation view's stage. */
export class KeyboardCursor extends TimeCursor<Hover, StageState> {
  protected get hover(): Hover | null {
    return this.stage.hover;
  }

  protected set hover(hover: Hover | null) {
    this.stage.hover = hover;
  }

  protected start(dump: number): Hover {
    return { area: 'rows', dump, row: this.stage.layout.rows[0] ?? null, position: null, glyph: null };
  }

  protected atDump(hover: Hover, dump: number): Hover {
    return { ...hover, area: hover.area === 'gutter' ? 'rows' : hover.area, dump, glyph: null };
  }

  protected activate(cursor: Hover): void {
    activate(this.stage, cursor);
  }

  protected clearInnermost(): boolean {
    return clearInnermost(this.stage);
  }

  protected ownKeys(event: KeyboardEvent): Readonly<Record<string, () => void>> {
    return { n: () => this.#anomaly(event.shiftKey ? -1 : 1) };
  }

  /** Through rows, and through the samples of a pixel chart one by one. */
  protected moveRow(cursor: Hover, step: number): void {
    const { stage } = this;
    const { rows } = stage.layout;
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
    const top = this.stage.chartTop(row);
    if (position < top) this.stage.setChartTop(row, position);
    else if (position + 1 > top + shown) this.stage.setChartTop(row, position + 1 - shown);
  }

  #anomaly(direction: 1 | -1): void {
    const cursor = this.cursor();
    const { row } = cursor;
    if (!row || row.kind === 'cluster') return;
    const from = this.stage.store.v.anomaly?.[0] === row.cls ? this.stage.anomalyDump : -1;
    const found = stepAnomaly(this.stage, row.cls, from < 0 && direction < 0 ? Infinity : from, direction);
    if (found) this.stage.hover = { ...cursor, dump: found.dump, glyph: null };
  }
}
