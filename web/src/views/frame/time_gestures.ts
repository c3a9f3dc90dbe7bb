import { dumpAt, pixelsPerDump, xOf, type DumpSpan } from '../../kernel/axis.ts';
import { commitBrush, zoomedBy, zoomTo, zoomToBrush } from './time_actions.ts';
import type { InnerScroll, TimeStage } from './time_stage.svelte.ts';

/**
 * What does the hand do on a stage? A press becomes a click, a brush, a moved edge of the brush, or a pan; nothing is
 * written to the link before it ends. A click in the brush waits for a possible second one, which zooms.
 *
 * A view says what lies under a point (`hitAt`), what a click on it does (`activate`), and which charts scroll inside.
 */
const CLICK_PIXELS = 4;
const EDGE_PIXELS = 5;
const DOUBLE_CLICK_MS = 260;
const WHEEL_SETTLES_MS = 250;

/** What every view's hover tells: the dump under the pointer, null beside the plot. */
export interface TimeHover {
  readonly dump: number | null;
}

type Mode = 'press' | 'brush' | 'pan';

interface Press<H> {
  readonly x: number;
  readonly y: number;
  readonly hover: H;
  readonly zoom: DumpSpan;
  readonly inner: InnerScroll | null;
  /** The dump that stays when an edge of the brush is dragged. */
  readonly anchor: number;
  readonly onEdge: boolean;
  readonly alt: boolean;
  mode: Mode;
}

export abstract class TimeGestures<H extends TimeHover, S extends TimeStage> {
  #press: Press<H> | null = null;
  #clickTimer: ReturnType<typeof setTimeout> | undefined;
  #wheelTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(protected readonly stage: S) {}

  /** Null where there is nothing to press. */
  protected abstract hitAt(x: number, y: number): H | null;
  protected abstract setHover(hover: H | null): void;
  /** The hover while a brush is drawn: the same place at another dump. */
  protected abstract atDump(hover: H, dump: number): H;
  protected abstract activate(hover: H, alt: boolean): void;
  /** Whether a drag that begins here selects iterations. */
  protected abstract isPlot(hover: H): boolean;
  /** Whether a click acts at once, even in the brush. */
  protected abstract actsAtOnce(hover: H): boolean;
  protected abstract innerScroll(hover: H): InnerScroll | null;
  /** One step of Ctrl + wheel over a chart that scrolls inside. */
  protected abstract stepRowHeight(hover: H, step: 1 | -1, y: number): void;
  protected abstract cursorOf(hover: H): string;

  /** Where on the axis a point lies, for a stage on which not all iterations run from left to right. */
  protected axisX({ x }: { readonly hover: H; readonly x: number; readonly y: number }): number {
    return x;
  }

  cursor(hover: H | null, x: number, y: number): string {
    if (this.#press?.mode === 'pan') return 'grabbing';
    if (!hover) return 'default';
    if (this.isPlot(hover) && this.#edgeAt(this.axisX({ hover, x, y })) !== null) return 'ew-resize';
    return this.cursorOf(hover);
  }

  down(event: PointerEvent, x: number, y: number): void {
    if (event.button !== 0) return;
    const hover = this.hitAt(x, y);
    if (!hover) return;
    const edge = this.isPlot(hover) ? this.#edgeAt(this.axisX({ hover, x, y })) : null;
    const { brush } = this.stage;
    const anchor = edge === null || !brush ? (hover.dump ?? 0) : edge === 0 ? brush[1] - 1 : brush[0];
    this.#press = {
      x,
      y,
      hover,
      zoom: this.stage.zoom,
      inner: this.innerScroll(hover),
      anchor: event.shiftKey && brush ? (anchor < brush[0] ? brush[1] - 1 : brush[0]) : anchor,
      onEdge: edge !== null,
      alt: event.altKey,
      mode: 'press',
    };
  }

  move(event: PointerEvent, x: number, y: number): void {
    const press = this.#press;
    if (!press) {
      this.setHover(this.hitAt(x, y));
      return;
    }
    if (press.mode === 'press') {
      if (Math.hypot(x - press.x, y - press.y) < CLICK_PIXELS || !this.isPlot(press.hover)) return;
      press.mode = !press.onEdge && !event.shiftKey && this.pans(press.hover) ? 'pan' : 'brush';
      this.stage.run.pause();
    }
    if (press.mode === 'pan') this.#pan(press, x, y);
    else this.#drawBrush(press, this.axisX({ hover: press.hover, x, y }));
  }

  up(x: number, y: number): void {
    const press = this.#press;
    this.#press = null;
    if (!press) return;
    const { stage } = this;
    if (press.mode === 'press') this.#click(press, this.axisX({ hover: press.hover, x, y }));
    else if (press.mode === 'brush' && stage.draftBrush) {
      commitBrush(stage, stage.draftBrush);
      stage.draftBrush = null;
    } else if (press.mode === 'pan') this.#endPan();
    stage.run.resume();
    this.setHover(this.hitAt(x, y));
  }

  cancel(): void {
    this.#press = null;
    this.stage.draftBrush = null;
    this.stage.draftZoom = null;
    this.stage.run.resume();
  }

  get dragging(): boolean {
    return this.#press !== null && this.#press.mode !== 'press';
  }

  /** Returns whether the wheel was used here (else the page scrolls). */
  wheel(event: WheelEvent, x: number, y: number): boolean {
    const hover = this.hitAt(x, y);
    if (!hover) return false;
    if (event.ctrlKey || event.metaKey) return this.#wheelZoom(event, hover, x, y);
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) return this.#wheelPan(sideways);
    const inner = this.innerScroll(hover);
    if (!inner) return false;
    const next = Math.max(0, Math.min(inner.largest, inner.top + event.deltaY / inner.rowHeight));
    if (next === inner.top) return false;
    inner.setTop(next);
    return true;
  }

  /** Whether a drag here moves what is shown rather than selecting. */
  protected pans(hover: H): boolean {
    const inner = this.innerScroll(hover);
    return inner !== null && (this.stage.store.v.zoom !== null || inner.largest > 0);
  }

  /** Ctrl + wheel: the height of a row in a chart of rows; elsewhere the iterations. */
  #wheelZoom(event: WheelEvent, hover: H, x: number, y: number): boolean {
    const { stage } = this;
    if (!this.isPlot(hover)) return false;
    if (this.innerScroll(hover)) {
      this.stepRowHeight(hover, event.deltaY < 0 ? 1 : -1, y);
      return true;
    }
    if (hover.dump === null) return false;
    stage.draftZoom = zoomedBy(
      stage,
      event.deltaY < 0 ? 0.8 : 1.25,
      dumpAt(stage.axis, this.axisX({ hover, x, y })) + 0.5,
    );
    this.#settleZoom();
    return true;
  }

  #wheelPan(pixels: number): boolean {
    const { stage } = this;
    const [d0, d1] = stage.zoom;
    if (d1 - d0 >= stage.run.dumps) return false;
    stage.draftZoom = this.#shifted([d0, d1], pixels / pixelsPerDump(stage.axis));
    this.#settleZoom();
    return true;
  }

  #settleZoom(): void {
    clearTimeout(this.#wheelTimer);
    this.#wheelTimer = setTimeout(() => this.#endPan(), WHEEL_SETTLES_MS);
  }

  #shifted([d0, d1]: DumpSpan, dumps: number): DumpSpan {
    const from = Math.max(0, Math.min(this.stage.run.dumps - (d1 - d0), d0 + dumps));
    return [from, from + d1 - d0];
  }

  #pan(press: Press<H>, x: number, y: number): void {
    const { stage } = this;
    const { inner } = press;
    if (inner && inner.largest > 0) {
      inner.setTop(Math.max(0, Math.min(inner.largest, inner.top - (y - press.y) / inner.rowHeight)));
    }
    if (stage.store.v.zoom) {
      stage.draftZoom = this.#shifted(press.zoom, -(x - press.x) / pixelsPerDump(stage.axis));
    }
  }

  #endPan(): void {
    const { stage } = this;
    const draft = stage.draftZoom;
    if (!draft) return;
    const from = Math.round(draft[0]);
    zoomTo(stage, [from, from + Math.round(draft[1] - draft[0])]);
    stage.draftZoom = null;
  }

  #drawBrush(press: Press<H>, x: number): void {
    const at = dumpAt(this.stage.axis, x);
    this.stage.draftBrush = [Math.min(press.anchor, at), Math.max(press.anchor, at) + 1];
    this.setHover(this.atDump(press.hover, at));
  }

  #edgeAt(x: number): 0 | 1 | null {
    const { brush, axis } = this.stage;
    if (!brush) return null;
    if (Math.abs(x - xOf(axis, brush[0])) <= EDGE_PIXELS) return 0;
    return Math.abs(x - xOf(axis, brush[1])) <= EDGE_PIXELS ? 1 : null;
  }

  #click(press: Press<H>, x: number): void {
    const { stage } = this;
    const { brush } = stage;
    const dump = dumpAt(stage.axis, x);
    const inBrush = brush && press.hover.dump !== null && dump >= brush[0] && dump < brush[1];
    if (!inBrush || this.actsAtOnce(press.hover)) {
      this.activate(press.hover, press.alt);
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
      this.activate(press.hover, press.alt);
    }, DOUBLE_CLICK_MS);
  }
}
