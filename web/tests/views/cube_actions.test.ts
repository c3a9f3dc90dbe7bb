import { describe, expect, it } from 'vitest';
import { DEFAULTS, type View } from '../../src/kernel/view_state.ts';
import { pinsAfter, type PinMode, type Target } from '../../src/views/cube/actions.ts';

const target: Target = { minis: [9], classes: [4], iterations: [] };
const after = (view: Partial<View>, mode: PinMode) => pinsAfter({ ...DEFAULTS, ...view }, target, mode);

describe('pinsAfter', () => {
  it('takes the place of what was pinned', () => {
    expect(after({ minis: [1, 2], marks: [600] }, 'replace')).toEqual({
      minis: [9],
      pinnedClasses: [4],
      marks: [],
    });
  });

  it('lets go of what alone was pinned and is clicked again', () => {
    expect(after({ minis: [9], pinnedClasses: [4] }, 'replace')).toEqual({
      minis: [],
      pinnedClasses: [],
      marks: [],
    });
  });

  it('adds behind what was pinned before, each once', () => {
    expect(after({ minis: [12, 9], pinnedClasses: [7], marks: [600] }, 'add')).toEqual({
      minis: [12, 9],
      pinnedClasses: [4, 7],
      marks: [600],
    });
  });

  it('removes what it names and nothing else', () => {
    expect(after({ minis: [12, 9], pinnedClasses: [4, 7], marks: [600] }, 'remove')).toEqual({
      minis: [12],
      pinnedClasses: [7],
      marks: [600],
    });
  });
});
