import type { GraphView } from './graph_view.svelte.ts';

/** What does the hand do on the graph? A press becomes a click or a pan, two fingers zoom, the wheel zooms. */
const CLICK_PIXELS = 4;
/** A step of a wheel is about 100 pixels, one of a pinch on a touch pad a few. */
const ZOOM_PER_PIXEL = { wheel: 0.0018, pinch: 0.01 } as const;
const PIXELS_PER_LINE = 30;

type Point = readonly [number, number];

export class GraphGestures {
  readonly #view: GraphView;
  readonly #fingers = new Map<number, Point>();
  #start: Point | null = null;
  #isClick = false;

  constructor(view: GraphView) {
    this.#view = view;
  }

  get panning(): boolean {
    return this.#fingers.size > 0 && !this.#isClick;
  }

  down(event: PointerEvent, at: Point): void {
    if (event.button !== 0) return;
    this.#fingers.set(event.pointerId, at);
    this.#isClick = this.#fingers.size === 1;
    this.#start = at;
  }

  move(event: PointerEvent, at: Point): void {
    const before = this.#fingers.get(event.pointerId);
    if (!before || !this.#start) {
      this.#view.node = this.#view.at(...at);
      return;
    }
    if (this.#isClick && Math.hypot(at[0] - this.#start[0], at[1] - this.#start[1]) < CLICK_PIXELS) return;
    this.#isClick = false;
    const other = [...this.#fingers].find(([id]) => id !== event.pointerId)?.[1];
    this.#fingers.set(event.pointerId, at);
    if (other) this.#pinch(other, before, at);
    else this.#view.pan(at[0] - before[0], at[1] - before[1]);
  }

  up(event: PointerEvent, at: Point): void {
    if (!this.#fingers.delete(event.pointerId) || !this.#isClick) return;
    this.#isClick = false;
    const node = this.#view.at(...at);
    if (node !== null) this.#view.open(node);
  }

  cancel(event: PointerEvent): void {
    this.#fingers.delete(event.pointerId);
    this.#isClick = false;
  }

  wheel(event: WheelEvent, at: Point): void {
    const pixels = event.deltaMode === event.DOM_DELTA_LINE ? PIXELS_PER_LINE : 1;
    const [dx, dy] = [event.deltaX * pixels, event.deltaY * pixels];
    if (event.shiftKey) this.#view.pan(0, -(dy || dx));
    else if (Math.abs(dx) > Math.abs(dy)) this.#view.pan(-dx, 0);
    else {
      const by = event.ctrlKey ? ZOOM_PER_PIXEL.pinch : ZOOM_PER_PIXEL.wheel;
      this.#view.zoomBy(Math.exp(-dy * by), at);
    }
  }

  /** The distance of two fingers is the zoom, their middle stays on what it is on. */
  #pinch(other: Point, before: Point, now: Point): void {
    const distance = (a: Point) => Math.max(1, Math.hypot(a[0] - other[0], a[1] - other[1]));
    const middle: Point = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    this.#view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.#view.zoomBy(distance(now) / distance(before), middle);
  }
}
