import type { FiltersRow } from '../../kernel/layer_layout.ts';
import { TimeCursor } from '../frame/time_cursor.ts';
import { unzoom } from '../frame/time_actions.ts';
import { activate, clearInnermost, goUp } from './actions.ts';
import type { Hover } from './hit.ts';
import type { LayersStage } from './layers_stage.svelte.ts';

/** The cursor of the Layer view's stage. */
export class KeyboardCursor extends TimeCursor<Hover, LayersStage> {
  protected get hover(): Hover | null {
    return this.stage.hover;
  }

  protected set hover(hover: Hover | null) {
    this.stage.hover = hover;
  }

  protected start(dump: number): Hover {
    const row = this.stage.layout.rows[0] ?? null;
    return { area: 'charts', dump, row, filter: null, spine: null };
  }

  protected atDump(hover: Hover, dump: number): Hover {
    const inPlot = hover.area === 'charts' || hover.area === 'axis' || hover.area === 'head';
    const row = hover.row ?? (inPlot ? null : (this.stage.layout.rows[0] ?? null));
    return { ...hover, area: inPlot ? hover.area : 'charts', dump, row, spine: null };
  }

  protected activate(cursor: Hover, alt: boolean): void {
    activate(this.stage, cursor, alt);
  }

  protected clearInnermost(): boolean {
    return clearInnermost(this.stage);
  }

  protected ownKeys(): Readonly<Record<string, () => void>> {
    return {
      Backspace: () => this.#up(),
      f: () => this.stage.data.flightParts.value?.openNearest(this.stage, this.cursor().dump as number),
      g: () => this.stage.store.commit({ graph: true }),
    };
  }

  #up(): void {
    const { hover, stage } = this;
    if (!hover?.row || !goUp(stage, hover.row.node)) unzoom(stage);
    else this.hover = { ...hover, row: this.#rowOfParent(hover.row.node), filter: null };
  }

  #rowOfParent(node: number) {
    const { network, layout } = this.stage;
    const parent = network?.nodes[node].parent ?? -1;
    return layout.rows.find((row) => row.node === parent) ?? layout.rows[0] ?? null;
  }

  /** Through charts, and through the filters of an unfolded layer one by one. */
  protected moveRow(cursor: Hover, step: number): void {
    const { stage } = this;
    const { rows } = stage.layout;
    if (rows.length === 0) return;
    if (cursor.row?.kind === 'filters' && cursor.filter !== null) {
      const order = this.#orderOf(cursor.row);
      const position = order ? order.indexOf(cursor.filter) + step : -1;
      if (order && position >= 0 && position < order.length) {
        this.#showFilter(cursor.row, position);
        this.hover = { ...cursor, filter: order[position] };
        return;
      }
    }
    const at = rows.findIndex((row) => row.node === cursor.row?.node);
    const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))];
    const order = next.kind === 'filters' ? this.#orderOf(next) : null;
    const position = order ? (step > 0 ? 0 : order.length - 1) : null;
    stage.scrollTo(next);
    if (next.kind === 'filters' && position !== null) this.#showFilter(next, position);
    const filter = order && position !== null ? order[position] : null;
    this.hover = { ...cursor, area: 'charts', row: next, filter, spine: null };
  }

  #orderOf(row: FiltersRow): Int32Array | null {
    return this.stage.data.unfolded.get(row.layer)?.rows ?? null;
  }

  #showFilter(row: FiltersRow, position: number): void {
    const shown = row.h / row.rowHeight;
    const top = this.stage.filterTop(row);
    if (position < top) this.stage.setFilterTop(row, position);
    else if (position + 1 > top + shown) this.stage.setFilterTop(row, position + 1 - shown);
  }
}
