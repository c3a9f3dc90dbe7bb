import { pixelsRowOf } from '../../kernel/layout.ts';
import { TimeGestures } from '../frame/time_gestures.ts';
import type { InnerScroll } from '../frame/time_stage.svelte.ts';
import { activate } from './actions.ts';
import { hitAt, type Hover } from './hit.ts';
import { largestTop, sampleHeight, screenY } from './scene.ts';
import type { StageState } from './stage.svelte.ts';

/** The hand on the Validation view's stage: stripes, triangles, and the pixel charts of opened classes. */
export class PointerGestures extends TimeGestures<Hover, StageState> {
  protected hitAt(x: number, y: number): Hover | null {
    const { scene } = this.stage;
    const hover = scene ? hitAt(scene, x, y) : null;
    return hover?.area === 'none' ? null : hover;
  }

  protected setHover(hover: Hover | null): void {
    this.stage.hover = hover;
  }

  protected atDump(hover: Hover, dump: number): Hover {
    return { ...hover, dump, glyph: null };
  }

  protected activate(hover: Hover): void {
    activate(this.stage, hover);
  }

  protected isPlot(hover: Hover): boolean {
    return hover.area !== 'gutter';
  }

  protected actsAtOnce(hover: Hover): boolean {
    return hover.glyph !== null;
  }

  protected innerScroll(hover: Hover): InnerScroll | null {
    const { row } = hover;
    if (row?.kind !== 'pixels' || hover.area !== 'rows') return null;
    const { stage } = this;
    return {
      top: stage.chartTop(row),
      largest: largestTop(row),
      rowHeight: sampleHeight(row),
      setTop: (top) => stage.setChartTop(row, top),
    };
  }

  protected stepRowHeight(hover: Hover, step: 1 | -1, y: number): void {
    const { stage } = this;
    if (hover.row?.kind !== 'pixels') return;
    const { cls } = hover.row;
    stage.store.commit({ rowHeight: Math.max(1, Math.min(8, stage.store.v.rowHeight + step)) });
    const row = pixelsRowOf(stage.layout, cls);
    const { scene } = stage;
    // The sample under the pointer stays under it.
    if (row && scene && hover.position !== null) {
      stage.setChartTop(row, hover.position + 0.5 - (y - screenY(scene, row.y)) / sampleHeight(row));
    }
  }

  protected cursorOf(hover: Hover): string {
    if (hover.glyph || hover.area === 'gutter') return hover.row ? 'pointer' : 'default';
    if (hover.row?.kind === 'pixels') return this.pans(hover) ? 'grab' : 'pointer';
    return hover.row || hover.area !== 'rows' ? 'pointer' : 'crosshair';
  }
}
