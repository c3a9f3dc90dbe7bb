import { describe, expect, it } from 'vitest';
import type { RunSummary } from '../../src/source.ts';
import { matching, sorted } from '../../src/views/runs/run_order.ts';

const run = (id: string, validation_error: number | null, updated: string): RunSummary => ({
  id,
  name: id.toUpperCase(),
  state: 'finished',
  created: updated,
  updated,
  dumps: 1,
  iteration: 0,
  classes: 2,
  samples: 4,
  layers: 1,
  filters: 1,
  validation_error,
  training_error: null,
  curve: [],
  problem: null,
});
const runs = [
  run('a/one', 0.5, '2024-01-02'),
  run('b/two', null, '2024-01-03'),
  run('b/three', 0.1, '2024-01-01'),
];

describe('the run list', () => {
  it('sorts by a column, unknown errors last', () => {
    expect(sorted(runs, 'error', false).map((r) => r.id)).toEqual(['b/three', 'a/one', 'b/two']);
    expect(sorted(runs, 'updated', true).map((r) => r.id)).toEqual(['b/two', 'a/one', 'b/three']);
  });

  it('finds runs by every word', () => {
    expect(matching(runs, 'b t').map((r) => r.id)).toEqual(['b/two', 'b/three']);
    expect(matching(runs, 'ONE finished').length).toBe(1);
    expect(matching(runs, 'nothing')).toEqual([]);
  });
});
