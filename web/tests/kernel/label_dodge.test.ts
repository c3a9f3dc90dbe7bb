import { describe, expect, it } from 'vitest';
import { dodged, greedy } from '../../src/kernel/label_dodge.ts';
import { seeded } from '../random.ts';

describe('names beside rows', () => {
  it('stay where they are if they have room', () => {
    expect(dodged([10, 30, 50], () => 0, 10, 0, 100)).toEqual([
      { index: 0, at: 10 },
      { index: 1, at: 30 },
      { index: 2, at: 50 },
    ]);
    expect(dodged([], () => 0, 10, 0, 100)).toEqual([]);
  });

  it('keep their order and a distance, within the bounds', () => {
    const random = seeded(7);
    for (let round = 0; round < 100; round++) {
      const count = 1 + Math.floor(random() * 60);
      const wanted = Array.from({ length: count }, () => random() * 500).sort((a, b) => a - b);
      const placed = dodged(wanted, (index) => index % 3, 10.6, 5, 495);
      placed.forEach(({ index, at }, i) => {
        expect(at).toBeGreaterThan(5 - 1e-9);
        expect(at).toBeLessThan(495 + 1e-9);
        if (i === 0) return;
        expect(index).toBeGreaterThan(placed[i - 1].index);
        expect(at - placed[i - 1].at).toBeGreaterThan(10.6 - 1e-9);
      });
      expect(placed.length).toBe(Math.min(count, 47));
    }
  });

  it('are left out by importance, of equal ones evenly', () => {
    const wanted = Array.from({ length: 20 }, (_, i) => i);
    const kept = dodged(wanted, (index) => (index === 7 ? 1 : 0), 10, 0, 40).map(({ index }) => index);
    expect(kept).toContain(7);
    expect(kept).toHaveLength(5);
    expect(kept[0]).toBeLessThan(5);
    expect(kept[4]).toBeGreaterThan(14);
  });
});

describe('names below columns', () => {
  it('are placed by importance, none too near to another', () => {
    const at = [0, 4, 9, 13, 30];
    expect(greedy(at, () => 0, 8.8)).toEqual([0, 2, 4]);
    expect(greedy(at, (index) => (index === 3 ? 1 : 0), 8.8)).toEqual([0, 3, 4]);
    expect(greedy([], () => 0, 8.8)).toEqual([]);
  });
});
