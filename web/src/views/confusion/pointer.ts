import { centreOf } from '../../kernel/axis.ts';
import { within } from '../../kernel/confusion_raster.ts';
import { activate, commitDraft, dragHandle, zoomMatrix } from './actions.ts';
import { hitAt, type Hover } from './hit.ts';
import { stepOf } from './scene.ts';
import type { ConfusionStage, Handle } from './stage.svelte.ts';

/**
 * The hand on the Confusion view's stage. A press on the scrubber takes the nearer handle along (with Shift the other one,
 * which it makes where there is none); a drag in a zoomed matrix moves it; the wheel zooms it. Nothing is written to the
 * link before the hand lets go.
 */
const CLICK_PIXELS = 4;

interface Press {
  readonly x: number;
  readonly y: number;
  readonly hover: Hover;
  readonly handle: Handle | null;
  readonly row: number;
  readonly column: number;
  moved: boolean;
}

export class PointerGestures {
  #press: Press | null = null;

  constructor(private readonly stage: ConfusionStage) {}

  get dragging(): boolean {
    return this.#press !== null && (this.#press.handle !== null || this.#press.moved);
  }

  cursor(hover: Hover | null, x: number): string {
    if (this.#press?.moved) return this.#press.handle ? 'ew-resize' : 'grabbing';
    if (hover?.area === 'scrub') return this.#nearHandle(x) ? 'ew-resize' : 'pointer';
    return hover ? 'pointer' : 'default';
  }

  down(event: PointerEvent, x: number, y: number): void {
    if (event.button !== 0) return;
    const hover = this.#hitAt(x, y);
    if (!hover) return;
    const { stage } = this;
    const handle = hover.area === 'scrub' ? this.#handleFor(x, event.shiftKey) : null;
    const { row, column } = stage.window;
    this.#press = { x, y, hover, handle, row, column, moved: false };
    if (!handle || hover.dump === null) return;
    stage.playing = false;
    stage.run.pause();
    dragHandle(stage, handle, hover.dump);
  }

  move(event: PointerEvent, x: number, y: number): void {
    void event;
    const press = this.#press;
    if (!press) {
      this.stage.hover = this.#hitAt(x, y);
      return;
    }
    if (!press.moved && Math.hypot(x - press.x, y - press.y) < CLICK_PIXELS) return;
    press.moved = true;
    if (press.handle) {
      const { scene } = this.stage;
      const dump = scene ? hitAt(scene, this.#onAxis(x), scene.places.scrubY + 1)?.dump : null;
      if (dump !== null && dump !== undefined) dragHandle(this.stage, press.handle, dump);
    } else this.#pan(press, x, y);
  }

  up(x: number, y: number): void {
    const press = this.#press;
    this.#press = null;
    if (!press) return;
    const { stage } = this;
    if (press.handle) {
      commitDraft(stage);
      stage.run.resume();
    } else if (!press.moved) activate(stage, press.hover);
    stage.hover = this.#hitAt(x, y);
  }

  cancel(): void {
    if (this.#press?.handle) this.stage.run.resume();
    this.#press = null;
    this.stage.draft = {};
  }

  wheel(event: WheelEvent, x: number, y: number): boolean {
    const { stage } = this;
    const { scene } = stage;
    const hover = this.#hitAt(x, y);
    if (!scene || hover?.area !== 'cell') return false;
    const step = stepOf(scene);
    const { matrix } = scene.places;
    const { row, column } = stage.window;
    const at = { row: row + (y - matrix.y) / step, column: column + (x - matrix.x) / step };
    zoomMatrix(stage, Math.exp(Math.sign(event.deltaY) * 0.22), at);
    stage.hover = this.#hitAt(x, y);
    return true;
  }

  #hitAt(x: number, y: number): Hover | null {
    const { scene } = this.stage;
    return scene ? hitAt(scene, x, y) : null;
  }

  #onAxis(x: number): number {
    const { x0, width } = this.stage.axis;
    return Math.max(x0, Math.min(x0 + width - 1, x));
  }

  #handleFor(x: number, isOther: boolean): Handle {
    const { stage } = this;
    if (isOther) return 'to';
    if (stage.to === null) return 'at';
    const distance = (dump: number) => Math.abs(centreOf(stage.axis, dump) - x);
    return distance(stage.to) < distance(stage.at) ? 'to' : 'at';
  }

  #nearHandle(x: number): boolean {
    const { stage } = this;
    const near = (dump: number | null) => dump !== null && Math.abs(centreOf(stage.axis, dump) - x) < 6;
    return near(stage.at) || near(stage.to);
  }

  #pan({ x, y, row, column, hover }: Press, nowX: number, nowY: number): void {
    const { stage } = this;
    if (!stage.scene?.isZoomed || hover.area !== 'cell') return;
    const step = stepOf(stage.scene);
    const moved = { row: row - (nowY - y) / step, column: column - (nowX - x) / step };
    stage.zoomedTo = within({ ...moved, cells: stage.window.cells }, stage.extent);
  }
}
