import { applyInverse } from '../../kernel/affine.ts';
import { xOf } from '../../kernel/axis.ts';
import { faceMatrix } from '../../kernel/cube_geometry.ts';
import { TimeGestures } from '../frame/time_gestures.ts';
import { restrictTo, type PinMode } from './actions.ts';
import type { CubeStage } from './cube_stage.svelte.ts';
import { hitAt, type CubeHover } from './hit.ts';
import { activate, touched } from './targets.ts';

/**
 * The hand on the cube: on front and top a drag brushes iterations, on the right it selects layers and classes; a click
 * pins what is pointed at. A point of the top is taken to the axis of the front by the inverse of the top's matrix.
 */
const DRAG_PIXELS = 4;

export class CubeGestures extends TimeGestures<CubeHover, CubeStage> {
  #mode: PinMode = 'replace';
  /** Where a press on the right began. */
  #from: readonly [number, number] | null = null;

  override down(event: PointerEvent, x: number, y: number): void {
    this.#mode = event.altKey ? 'remove' : event.shiftKey ? 'add' : 'replace';
    this.#from = event.button === 0 && this.hitAt(x, y)?.place === 'right' ? [x, y] : null;
    super.down(event, x, y);
  }

  override move(event: PointerEvent, x: number, y: number): void {
    const from = this.#from;
    if (!from || (!this.stage.rubber && Math.hypot(x - from[0], y - from[1]) < DRAG_PIXELS)) {
      super.move(event, x, y);
      return;
    }
    this.stage.run.pause();
    this.stage.hover = null;
    const [x0, y0] = this.#onRight(...from);
    const [x1, y1] = this.#onRight(x, y);
    this.stage.rubber = { x0, y0, x1, y1 };
  }

  override up(x: number, y: number): void {
    const { rubber, model } = this.stage;
    this.#from = null;
    if (!rubber || !model) {
      super.up(x, y);
      return;
    }
    this.stage.rubber = null;
    super.cancel();
    const { layers, classes } = touched(model, rubber);
    restrictTo(this.stage, layers, classes);
  }

  override cancel(): void {
    this.#from = null;
    this.stage.rubber = null;
    super.cancel();
  }

  override get dragging(): boolean {
    return this.stage.rubber !== null || super.dragging;
  }

  override cursor(hover: CubeHover | null, x: number, y: number): string {
    const cursor = super.cursor(hover, x, y);
    const isDown = hover?.place === 'top' && this.stage.layout !== 'cube';
    return isDown && cursor === 'ew-resize' ? 'ns-resize' : cursor;
  }

  /** What lies under a pointer that rests there, now that the data are others. */
  point(x: number, y: number): void {
    this.setHover(this.hitAt(x, y));
  }

  /** In the units of the right face, cut to it. */
  #onRight(x: number, y: number): [number, number] {
    const { scene } = this.stage;
    if (!scene) return [0, 0];
    const { sizes } = scene;
    const [px, py] = applyInverse(faceMatrix(scene.placement, 'right', sizes), x, y);
    return [Math.max(0, Math.min(sizes.columns, px)), Math.max(0, Math.min(sizes.rows, py))];
  }

  protected override axisX(at: {
    readonly hover: CubeHover;
    readonly x: number;
    readonly y: number;
  }): number {
    const { hover, x, y } = at;
    const { scene, axis } = this.stage;
    if (!scene || hover.place !== 'top') return x;
    const [dump] = applyInverse(faceMatrix(scene.placement, 'top', scene.sizes), x, y);
    return xOf(axis, scene.zoom[0] + dump);
  }

  protected hitAt(x: number, y: number): CubeHover | null {
    const { scene } = this.stage;
    return scene && hitAt(scene, x, y);
  }

  protected setHover(hover: CubeHover | null): void {
    this.stage.hover = hover;
  }

  protected atDump(hover: CubeHover, dump: number): CubeHover {
    return { ...hover, dump, column: null, isHit: false };
  }

  protected activate(hover: CubeHover): void {
    activate(this.stage, hover, this.#mode);
  }

  protected isPlot({ place, dump }: CubeHover): boolean {
    return dump !== null && place !== 'right';
  }

  protected actsAtOnce(hover: CubeHover): boolean {
    return !this.isPlot(hover);
  }

  protected innerScroll(): null {
    return null;
  }

  protected stepRowHeight(): void {
    // No chart of the cube scrolls inside.
  }

  protected cursorOf({ place }: CubeHover): string {
    return place === 'right' ? 'crosshair' : 'pointer';
  }
}
