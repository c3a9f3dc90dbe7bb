import { dumpAt, pixelsPerDump, xOf } from '../../kernel/axis.ts';
import { pixelsRowOf } from '../../kernel/layout.ts';
import { activate, commitBrush, zoomedBy, zoomTo, zoomToBrush } from './actions.ts';
import { hitAt, type Hover } from './hit.ts';
import { largestTop, sampleHeight, screenY } from './scene.ts';
import type { DumpSpan, StageState } from './stage.svelte.ts';

/**
 * What does the hand do on the stage? A press becomes a click, a brush, a moved edge of the brush, or a pan; nothing is
 * written to the link before it ends. A click on a brushed stripe waits for a possible second one, which zooms.
 */
const CLICK_PIXELS = 4;
const EDGE_PIXELS = 5;
const DOUBLE_CLICK_MS = 260;
const WHEEL_SETTLES_MS = 250;

type Mode = 'press' | 'brush' | 'pan';

interface Press {
  readonly x: number;
  readonly y: number;
  readonly hover: Hover;
  readonly zoom: DumpSpan;
  readonly chartTop: number;
  /** The dump that stays when an edge of the brush is dragged. */
  readonly anchor: number;
  readonly onEdge: boolean;
  mode: Mode;
}

export class PointerGestures {
  readonly #stage: StageState;
  #press: Press | null = null;
  #clickTimer: ReturnType<typeof setTimeout> | undefined;
  #wheelTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(stage: StageState) {
    this.#stage = stage;
  }

  cursor(hover: Hover | null, x: number): string {
    if (this.#press?.mode === 'pan') return 'grabbing';
    if (hover && hover.area !== 'gutter' && this.#edgeAt(x) !== null) return 'ew-resize';
    if (!hover || hover.area === 'none') return 'default';
    if (hover.glyph || hover.area === 'gutter') return hover.row ? 'pointer' : 'default';
    if (hover.row?.kind === 'pixels') return this.#pans(hover) ? 'grab' : 'pointer';
    return hover.row || hover.area !== 'rows' ? 'pointer' : 'crosshair';
  }

  down(event: PointerEvent, x: number, y: number): void {
    const { scene } = this.#stage;
    if (!scene || event.button !== 0) return;
    const hover = hitAt(scene, x, y);
    if (hover.area === 'none') return;
    const edge = hover.area === 'gutter' ? null : this.#edgeAt(x);
    const brush = this.#stage.brush;
    const row = hover.row?.kind === 'pixels' ? hover.row : null;
    const anchor = edge === null || !brush ? (hover.dump ?? 0) : edge === 0 ? brush[1] - 1 : brush[0];
    this.#press = {
      x,
      y,
      hover,
      zoom: this.#stage.zoom,
      chartTop: row ? this.#stage.chartTop(row) : 0,
      anchor: event.shiftKey && brush ? (anchor < brush[0] ? brush[1] - 1 : brush[0]) : anchor,
      onEdge: edge !== null,
      mode: 'press',
    };
  }

  move(event: PointerEvent, x: number, y: number): void {
    const { scene } = this.#stage;
    if (!scene) return;
    const press = this.#press;
    if (!press) {
      this.#stage.hover = hitAt(scene, x, y);
      return;
    }
    if (press.mode === 'press') {
      if (Math.hypot(x - press.x, y - press.y) < CLICK_PIXELS || press.hover.area === 'gutter') return;
      press.mode = !press.onEdge && !event.shiftKey && this.#pans(press.hover) ? 'pan' : 'brush';
      this.#stage.data.pause();
    }
    if (press.mode === 'pan') this.#pan(press, x, y);
    else this.#drawBrush(press, x);
  }

  up(x: number, y: number): void {
    const press = this.#press;
    this.#press = null;
    if (!press) return;
    const stage = this.#stage;
    if (press.mode === 'press') this.#click(press, x);
    else if (press.mode === 'brush' && stage.draftBrush) {
      commitBrush(stage, stage.draftBrush);
      stage.draftBrush = null;
    } else if (press.mode === 'pan') this.#endPan();
    stage.data.resume();
    if (stage.scene) stage.hover = hitAt(stage.scene, x, y);
  }

  cancel(): void {
    this.#press = null;
    this.#stage.draftBrush = null;
    this.#stage.draftZoom = null;
    this.#stage.data.resume();
  }

  get dragging(): boolean {
    return this.#press !== null && this.#press.mode !== 'press';
  }

  /** Returns whether the wheel was used here (else the page scrolls). */
  wheel(event: WheelEvent, x: number, y: number): boolean {
    const { scene } = this.#stage;
    if (!scene) return false;
    const hover = hitAt(scene, x, y);
    if (event.ctrlKey || event.metaKey) return this.#wheelZoom(event, hover, x, y);
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) return this.#wheelPan(sideways);
    const row = hover.row;
    if (row?.kind !== 'pixels' || hover.area !== 'rows') return false;
    const top = this.#stage.chartTop(row);
    const next = Math.max(0, Math.min(largestTop(row), top + event.deltaY / sampleHeight(row)));
    if (next === top) return false;
    this.#stage.setChartTop(row, next);
    return true;
  }

  /** Ctrl + wheel: the height of a sample's row in a pixel chart; elsewhere the iterations. */
  #wheelZoom(event: WheelEvent, hover: Hover, x: number, y: number): boolean {
    const stage = this.#stage;
    if (hover.area === 'none' || hover.area === 'gutter') return false;
    if (hover.row?.kind === 'pixels') {
      const rowHeight = Math.max(1, Math.min(8, stage.store.v.rowHeight + (event.deltaY < 0 ? 1 : -1)));
      const cls = hover.row.cls;
      stage.store.commit({ rowHeight });
      const row = pixelsRowOf(stage.layout, cls);
      const scene = stage.scene;
      // The sample under the pointer stays under it.
      if (row && scene && hover.position !== null) {
        stage.setChartTop(row, hover.position + 0.5 - (y - screenY(scene, row.y)) / sampleHeight(row));
      }
      return true;
    }
    if (hover.dump === null) return false;
    stage.draftZoom = zoomedBy(stage, event.deltaY < 0 ? 0.8 : 1.25, dumpAt(stage.axis, x) + 0.5);
    this.#settleZoom();
    return true;
  }

  #wheelPan(pixels: number): boolean {
    const stage = this.#stage;
    const [d0, d1] = stage.zoom;
    if (d1 - d0 >= stage.data.dumps) return false;
    stage.draftZoom = this.#shifted([d0, d1], pixels / pixelsPerDump(stage.axis));
    this.#settleZoom();
    return true;
  }

  #settleZoom(): void {
    clearTimeout(this.#wheelTimer);
    this.#wheelTimer = setTimeout(() => this.#endPan(), WHEEL_SETTLES_MS);
  }

  #shifted([d0, d1]: DumpSpan, dumps: number): DumpSpan {
    const from = Math.max(0, Math.min(this.#stage.data.dumps - (d1 - d0), d0 + dumps));
    return [from, from + d1 - d0];
  }

  #pans(hover: Hover): boolean {
    if (hover.row?.kind !== 'pixels' || hover.area !== 'rows') return false;
    return this.#stage.store.v.zoom !== null || largestTop(hover.row) > 0;
  }

  #pan(press: Press, x: number, y: number): void {
    const stage = this.#stage;
    const row = press.hover.row;
    if (row?.kind === 'pixels' && largestTop(row) > 0) {
      stage.setChartTop(row, press.chartTop - (y - press.y) / sampleHeight(row));
    }
    if (stage.store.v.zoom) {
      stage.draftZoom = this.#shifted(press.zoom, -(x - press.x) / pixelsPerDump(stage.axis));
    }
  }

  #endPan(): void {
    const stage = this.#stage;
    const draft = stage.draftZoom;
    if (!draft) return;
    const from = Math.round(draft[0]);
    zoomTo(stage, [from, from + Math.round(draft[1] - draft[0])]);
    stage.draftZoom = null;
  }

  #drawBrush(press: Press, x: number): void {
    const at = dumpAt(this.#stage.axis, x);
    this.#stage.draftBrush = [Math.min(press.anchor, at), Math.max(press.anchor, at) + 1];
    this.#stage.hover = { ...press.hover, dump: at, glyph: null };
  }

  #edgeAt(x: number): 0 | 1 | null {
    const { brush, axis } = this.#stage;
    if (!brush) return null;
    if (Math.abs(x - xOf(axis, brush[0])) <= EDGE_PIXELS) return 0;
    return Math.abs(x - xOf(axis, brush[1])) <= EDGE_PIXELS ? 1 : null;
  }

  #click(press: Press, x: number): void {
    const stage = this.#stage;
    const { brush } = stage;
    const dump = dumpAt(stage.axis, x);
    const inBrush = brush && press.hover.dump !== null && dump >= brush[0] && dump < brush[1];
    if (!inBrush || press.hover.glyph) {
      activate(stage, press.hover);
      return;
    }
    if (this.#clickTimer !== undefined) {
      clearTimeout(this.#clickTimer);
      this.#clickTimer = undefined;
      zoomToBrush(stage);
      return;
    }
    this.#clickTimer = setTimeout(() => {
      this.#clickTimer = undefined;
      activate(stage, press.hover);
    }, DOUBLE_CLICK_MS);
  }
}
