import { describe, expect, it } from 'vitest';
import {
  axisTicks,
  centreOf,
  dumpAt,
  dumpFrom,
  nearestDump,
  positionOf,
  type Axis,
} from '../../src/kernel/axis.ts';

const iterations = Float64Array.from([0, 10, 20, 50, 100, 200]);
const axis: Axis = { iterations, d0: 0, d1: 6, x0: 100, width: 600 };

describe('the iteration axis', () => {
  it('finds the dump whose centre it drew', () => {
    for (let dump = 0; dump < 6; dump++) expect(dumpAt(axis, centreOf(axis, dump))).toBe(dump);
    const zoomed = { ...axis, d0: 2, d1: 5 };
    for (let dump = 2; dump < 5; dump++) expect(dumpAt(zoomed, centreOf(zoomed, dump))).toBe(dump);
    expect(dumpAt(zoomed, -1e4)).toBe(2);
    expect(dumpAt(zoomed, 1e4)).toBe(4);
  });

  it('turns iterations into dumps', () => {
    expect(dumpFrom(iterations, 20)).toBe(2);
    expect(dumpFrom(iterations, 21)).toBe(3);
    expect(nearestDump(iterations, 34)).toBe(2);
    expect(nearestDump(iterations, 36)).toBe(3);
    expect(nearestDump(iterations, 1e9)).toBe(5);
    expect(positionOf(iterations, 75)).toBeCloseTo(4);
  });

  it('puts ticks at round iterations, apart from each other and inside', () => {
    const many = { ...axis, iterations: Float64Array.from({ length: 750 }, (_, i) => i * 1600), d1: 750 };
    const ticks = axisTicks(many);
    expect(ticks.length).toBeGreaterThan(3);
    ticks.slice(1).forEach((tick, i) => expect(tick.x - ticks[i].x).toBeGreaterThan(40));
    for (const tick of ticks) {
      expect(tick.x).toBeGreaterThanOrEqual(99);
      expect(tick.x).toBeLessThanOrEqual(701);
    }
    expect(ticks[0].label).toBe('0');
    expect(ticks.some((tick) => tick.label === '1M' || tick.label === '800k')).toBe(true);
  });

  it('says nothing where nothing was recorded', () => {
    expect(axisTicks({ ...axis, iterations: new Float64Array(0), d1: 1 })).toEqual([]);
  });
});
