import { BOUNDS } from '../../kernel/view_state.ts';
import { largestTopOf, type FiltersRow } from '../../kernel/layer_layout.ts';
import { TimeGestures } from '../frame/time_gestures.ts';
import type { InnerScroll } from '../frame/time_stage.svelte.ts';
import { activate } from './actions.ts';
import { hitAt, type Hover } from './hit.ts';
import type { LayersStage } from './layers_stage.svelte.ts';
import { barsEnd, screenY } from './scene.ts';

/** The hand on the Layer view's stage: the spine, the charts, and the filters of unfolded layers. */
export class PointerGestures extends TimeGestures<Hover, LayersStage> {
  protected hitAt(x: number, y: number): Hover | null {
    const { scene } = this.stage;
    return scene && hitAt(scene, x, y);
  }

  protected setHover(hover: Hover | null): void {
    this.stage.hover = hover;
  }

  protected atDump(hover: Hover, dump: number): Hover {
    return { ...hover, dump };
  }

  protected activate(hover: Hover, alt: boolean): void {
    activate(this.stage, hover, alt);
  }

  protected isPlot(hover: Hover): boolean {
    return hover.dump !== null;
  }

  protected actsAtOnce(): boolean {
    return false;
  }

  protected innerScroll(hover: Hover): InnerScroll | null {
    const { row } = hover;
    if (row?.kind !== 'filters' || hover.area !== 'charts') return null;
    const { stage } = this;
    return {
      top: stage.filterTop(row),
      largest: largestTopOf(row),
      rowHeight: row.rowHeight,
      setTop: (top) => stage.setFilterTop(row, top),
    };
  }

  protected stepRowHeight(hover: Hover, step: 1 | -1, y: number): void {
    const { row } = hover;
    if (row?.kind !== 'filters') return;
    const { stage } = this;
    stage.store.commit({ filterHeight: steppedHeight(stage.store.v.filterHeight, row, step) });
    const next = stage.layout.rows.find((r) => r.node === row.node);
    const position = hover.filter === null ? null : this.#positionOf(row, hover.filter);
    // The filter under the pointer stays under it.
    if (next?.kind === 'filters' && position !== null && stage.scene) {
      stage.setFilterTop(next, position + 0.5 - (y - screenY(stage.scene, next.y)) / next.rowHeight);
    }
  }

  #positionOf(row: FiltersRow, filter: number): number | null {
    return this.stage.data.unfolded.get(row.layer)?.rows?.indexOf(filter) ?? null;
  }

  /** Over the spine of a deep network the wheel moves the spine. */
  override wheel(event: WheelEvent, x: number, y: number): boolean {
    const { stage } = this;
    if (stage.spine && stage.maxSpineScroll > 0 && x <= barsEnd(stage.spine) && !event.ctrlKey) {
      const next = Math.max(0, Math.min(stage.maxSpineScroll, stage.spineScroll + event.deltaY));
      if (next === stage.spineScroll) return false;
      stage.spineScroll = next;
      return true;
    }
    return super.wheel(event, x, y);
  }

  protected cursorOf(hover: Hover): string {
    if (hover.area === 'spine') {
      const isPlain = hover.spine?.kind === 'row' && this.stage.spine?.rows[hover.spine.row].layer === null;
      return isPlain ? 'default' : 'pointer';
    }
    if (hover.row?.kind === 'filters' && this.pans(hover)) return 'grab';
    return hover.row || hover.area !== 'charts' ? 'pointer' : 'crosshair';
  }
}

/** Row heights go from "all fit" (0) over what is at least as high as that, to the largest. */
export function steppedHeight(height: number, row: FiltersRow, step: 1 | -1): number {
  const fitted = row.h / row.filters;
  const [, largest] = BOUNDS.filterHeight;
  const now = height === 0 ? Math.floor(fitted) : height;
  const next = Math.min(largest, now + step);
  return next <= 0 || next * row.filters <= row.h ? (step > 0 ? Math.max(1, next) : 0) : next;
}
