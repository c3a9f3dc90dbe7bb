import type { View } from '../../kernel/view_state.ts';
import { clearTime, toggled } from '../frame/time_actions.ts';
import type { CubeStage } from './cube_stage.svelte.ts';

/** What a finished gesture does, by mouse or by key. Each is one entry of the history. */
export interface Target {
  /** Ids. */
  readonly minis: readonly number[];
  /** Of the run. */
  readonly classes: readonly number[];
  /** Of the training. */
  readonly iterations: readonly number[];
}

export type PinMode = 'replace' | 'add' | 'remove';

type Stored = Pick<CubeStage, 'store'>;
type Pins = Pick<View, 'minis' | 'pinnedClasses' | 'marks'>;

const NOTHING: Pins = { minis: [], pinnedClasses: [], marks: [] };

/** What is pinned after a click; what alone was pinned and is clicked again is let go. */
export function pinsAfter(view: View, { minis, classes, iterations }: Target, mode: PinMode): Pins {
  const target = { minis, pinnedClasses: classes, marks: iterations };
  const put = (key: keyof Pins) => {
    const held = view[key];
    if (mode === 'remove') return held.filter((value) => !target[key].includes(value));
    return mode === 'add' ? [...new Set([...held, ...target[key]])] : [...target[key]];
  };
  const pins = {
    // Mini-sets keep the order in which they were pinned, which is their colour; other lists are sets.
    minis: put('minis'),
    pinnedClasses: put('pinnedClasses').sort(ascending),
    marks: put('marks').sort(ascending),
  };
  return mode === 'replace' && JSON.stringify(pins) === JSON.stringify(pinsOf(view)) ? NOTHING : pins;
}

function pinsOf({ minis, pinnedClasses, marks }: View): Pins {
  return { minis, pinnedClasses, marks };
}

const ascending = (a: number, b: number) => a - b;

export function pin(stage: Stored, target: Target, mode: PinMode): void {
  stage.store.commit(pinsAfter(stage.store.v, target, mode));
}

export function pinMini(stage: Stored, id: number): void {
  const { minis } = stage.store.v;
  stage.store.commit({ minis: minis.includes(id) ? minis.filter((other) => other !== id) : [...minis, id] });
}

export function pinClass(stage: Stored, cls: number): void {
  stage.store.commit({ pinnedClasses: toggled(stage.store.v.pinnedClasses, cls) });
}

/** Esc: the innermost thing first. Says whether there was anything to clear. */
export function clearInnermost(stage: CubeStage): boolean {
  const { minis, pinnedClasses, marks } = stage.store.v;
  if (minis.length + pinnedClasses.length + marks.length === 0) return clearTime(stage);
  stage.store.commit(NOTHING);
  return true;
}

/** Show only these layers and classes; null leaves a restriction as it is. */
export function restrictTo(
  stage: Stored,
  layers: readonly number[] | null,
  classes: readonly number[] | null,
): void {
  stage.store.commit({
    ...(layers && { onlyLayers: [...layers].sort(ascending) }),
    ...(classes && { onlyClasses: [...classes].sort(ascending) }),
  });
}

export function toggleLayout(stage: Stored): void {
  stage.store.commit({ layout: stage.store.v.layout === 'cube' ? 'flat' : 'cube' });
}

export function toggleCells(stage: Stored): void {
  stage.store.commit({ cells: stage.store.v.cells === 'sets' ? 'counts' : 'sets' });
}

export function setDepth(stage: Stored, depth: View['depth']): void {
  stage.store.commit({ depth });
}
