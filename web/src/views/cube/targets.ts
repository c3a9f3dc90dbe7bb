import { toggled } from '../frame/time_actions.ts';
import { pin, restrictTo, type PinMode, type Target } from './actions.ts';
import type { CubeStage } from './cube_stage.svelte.ts';
import type { CubeHover } from './hit.ts';
import type { Rubber } from './draw_dynamic.ts';
import type { CorrelationModel } from '../../kernel/correlation_model.ts';

/** What does a click, or Enter at the cursor, mean? */

const NOTHING: Target = { minis: [], classes: [], iterations: [] };

/**
 * What would be pinned: the mini-set of a row, the class of a stripe, a triangle as the class and its iteration. Null
 * where nothing can be.
 */
export function targetOf(stage: Pick<CubeStage, 'model' | 'run'>, hover: CubeHover): Target | null {
  const { place, set, cls, dump, isHit } = hover;
  const id = set === null ? undefined : stage.model?.table.setId[set];
  const iteration = dump === null ? undefined : stage.run.iterations[dump];
  const iterations = iteration === undefined ? [] : [iteration];
  if (place === 'front' || place === 'right') {
    if (id !== undefined) return { ...NOTHING, minis: [id] };
    if (place === 'front') return iterations.length > 0 ? { ...NOTHING, iterations } : null;
  }
  if (cls !== null) return { ...NOTHING, classes: [cls], iterations: isHit ? iterations : [] };
  return iterations.length > 0 ? { ...NOTHING, iterations } : null;
}

export function activate(stage: CubeStage, hover: CubeHover, mode: PinMode): void {
  const { place, layer } = hover;
  if ((place === 'layers' || place === 'spine') && layer !== null) {
    chooseLayer(stage, layer, mode);
    return;
  }
  const target = targetOf(stage, hover);
  if (target) pin(stage, target, mode);
}

/** The name of a layer: this one alone, or with Shift and Alt more or fewer; clicked again, all. */
function chooseLayer(stage: CubeStage, layer: number, mode: PinMode): void {
  const held = stage.store.v.onlyLayers;
  const isOnly = held.length === 1 && held[0] === layer;
  if (mode === 'replace') restrictTo(stage, isOnly ? [] : [layer], null);
  else if (mode === 'add') restrictTo(stage, held.includes(layer) ? held : toggled(held, layer), null);
  else restrictTo(stage, without(stage, layer), null);
}

function without(stage: CubeStage, layer: number): number[] {
  const held = stage.store.v.onlyLayers;
  const all = held.length > 0 ? held : [...(stage.model?.table.layers ?? [])];
  return all.filter((other) => other !== layer);
}

/** The layers and classes that a rectangle touches; null where these are all that are shown. */
export function touched(
  model: CorrelationModel,
  { x0, y0, x1, y1 }: Rubber,
): { readonly layers: number[] | null; readonly classes: number[] | null } {
  const [left, right] = [Math.min(x0, x1), Math.max(x0, x1)];
  const [top, bottom] = [Math.min(y0, y1), Math.max(y0, y1)];
  const classes = model.classes.filter(({ x, width }) => x < right && x + width > left);
  const layers = model.layers.filter(({ y, height }) => y < bottom && y + height > top);
  return {
    layers: layers.length === model.layers.length ? null : layers.map(({ layer }) => layer),
    classes: classes.length === model.classes.length ? null : classes.map(({ cls }) => cls),
  };
}
