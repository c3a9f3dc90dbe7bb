import { afterEach, describe, expect, it, vi } from 'vitest';
import { HttpSource } from '../src/http_source.ts';
import { frameOf, serve } from './served.ts';

const asking = { signal: new AbortController().signal };
const jsonOf = (value: object) => new Response(JSON.stringify(value));
const SUMMARY = { first: 8, last: 10, count: 3, dump: 10, reasons: [], has_batches: true, bytes: 9 };

afterEach(() => vi.unstubAllGlobals());

describe('a flight, asked as a run is', () => {
  it('has its iterations in place of the dumps', async () => {
    const asked = serve(jsonOf({ ...SUMMARY, iterations: [8, 9, 10] }));
    const source = await new HttpSource().flight(10);
    const found = await source.overall('a', null, asking);
    expect(asked).toEqual(['/api/flight?run=a&dump=10']);
    expect([...found.iterations.row(0)]).toEqual([8, 9, 10]);
    expect([...found.validation.row(0)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  it('answers of nodes and filters with a column each iteration', async () => {
    const asked = serve(
      frameOf({ dump: 10 }, [{ name: 'values', data: Float32Array.from([1, 2, 3, 4, 5, 6]), shape: [2, 3] }]),
      frameOf({ dump: 10 }, [
        { name: 'cells', data: Uint8Array.from([1, 128, 255]), shape: [1, 3] },
        { name: 'size', data: Float32Array.from([4]), shape: [1] },
      ]),
    );
    const source = await new HttpSource().flight(10);
    const stats = await source.nodeStats('a', 'l2', { columns: 2, span: null }, null, asking);
    expect(stats.detail).toEqual({ level: 1, first: 0, end: 3 });
    expect([...stats.values.row(1)]).toEqual([4, 5, 6]);
    const cells = await source.filters('a', 5, 'l2', 'filter', { columns: 2, span: [0, 1] }, asking);
    expect(cells.detail).toEqual({ level: 1, first: 0, end: 3 });
    expect([...cells.cells.row(0)]).toEqual([1, 128, 255]);
    expect(asked).toEqual([
      '/api/flight-nodes?run=a&dump=10&measure=l2',
      '/api/flight-filters?run=a&dump=10&layer=5&measure=l2&normalise=filter',
    ]);
  });

  it('knows only the measures that it has, and no kernels', async () => {
    serve(jsonOf({ layers: [], nodes: [], node_measures: ['sd'], filter_measures: ['sd'], kernel_layer: 0 }));
    const source = await new HttpSource().flight(10);
    const found = await source.network('a', asking);
    expect(found).toMatchObject({ kernel_layer: null, layers: [] });
    expect(found.node_measures).toEqual(['l2', 'grad_l2', 'update_ratio', 'nonfinite']);
    expect(found.filter_measures).toEqual(found.node_measures);
  });

  it('gives ids as they were handed in', async () => {
    const asked = serve(jsonOf({ flights: [SUMMARY] }), jsonOf({ ids: ['9007199254740993'] }));
    const source = new HttpSource();
    expect(await source.flights('a', asking)).toEqual([SUMMARY]);
    expect(await source.flightBatch('a', 10, 9, asking)).toEqual(['9007199254740993']);
    expect(asked[1]).toBe('/api/flight-batch?run=a&dump=10&iteration=9');
  });
});
