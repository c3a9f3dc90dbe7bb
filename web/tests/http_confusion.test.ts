import { afterEach, describe, expect, it, vi } from 'vitest';
import { HttpSource } from '../src/http_source.ts';
import { frameOf, serve, type Sent } from './served.ts';

const asking = { signal: new AbortController().signal };
const ints = (name: string, ...values: number[]): Sent => ({
  name,
  data: Int32Array.from(values),
  shape: [values.length],
});
const CURSOR = { first: 0, dumps: 8, iteration: 70, branch: 0 };

afterEach(() => vi.unstubAllGlobals());

describe('which class is taken for which', () => {
  it('is asked of one dump or of two', async () => {
    const cells = [ints('offsets', 0, 2), ints('predicted', 0, 1), ints('count', 5, 2)];
    const asked = serve(frameOf({}, cells), frameOf({}, [...cells, ints('before', 4, 3)]));
    const source = await new HttpSource().confusion();
    expect((await source.table('a', 30, null, asking)).before).toBeNull();
    const both = await source.table('a', 30, 60, asking);
    expect([...(both.before ?? []), ...both.count]).toEqual([4, 3, 5, 2]);
    expect(asked).toEqual(['/api/confusion?run=a&at=30', '/api/confusion?run=a&at=30&to=60']);
  });

  it('comes with courses in columns, both ways of each pair', async () => {
    const counts = { name: 'counts', data: Int32Array.from([1, 2, 3, 4]), shape: [2, 2] };
    const pairs = ['first', 'second', 'there', 'back'].map((name, i) => ints(name, i));
    const asked = serve(
      frameOf({ ...CURSOR, level: 4, from: 0 }, [...pairs, counts]),
      frameOf({ ...CURSOR, level: 1, from: 0 }, [ints('counts', 0, 1, -1, 3, 4, 5, 6, 7)]),
    );
    const source = await new HttpSource().confusion();
    const found = await source.pairs('a', 30, 9, { columns: 2, span: null }, asking);
    expect(found.detail).toEqual({ level: 4, first: 0, end: 8 });
    expect(found.courses.map((course) => [...course])).toEqual([
      [1, 2],
      [3, 4],
    ]);
    const course = await source.course('a', 2, -2, null, asking);
    expect(course.detail).toEqual({ level: 1, first: 0, end: 8 });
    expect(asked).toEqual([
      '/api/confused-pairs?run=a&at=30&most=9&width=2',
      '/api/confusion-course?run=a&cls=2&predicted=-2',
    ]);
  });

  it('has flows, samples and an order, and says how many there are', async () => {
    const asked = serve(
      frameOf(
        { flows: 7, samples: 40 },
        ['class', 'source', 'target', 'count'].map((name) => ints(name, 3)),
      ),
      frameOf({ names: ['x'], count: 12 }, [
        ints('samples', 9),
        { name: 'probability', data: Float32Array.from([0.25]), shape: [1] },
      ]),
      frameOf({ order_method: 'optimal leaf order' }, [ints('order', 1, 0)]),
    );
    const source = await new HttpSource().confusion();
    expect(await source.flows('a', [10, 20], null, 5, asking)).toMatchObject({ flows: 7, samples: 40 });
    expect(await source.samples('a', 10, [1, -1], 6, asking)).toMatchObject({ names: ['x'], count: 12 });
    expect((await source.order('a', asking)).method).toBe('optimal leaf order');
    expect(asked).toEqual([
      '/api/confusion-flows?run=a&at=10&to=20&most=5',
      '/api/confusion-samples?run=a&at=10&cls=1&predicted=-1&most=6',
      '/api/confusion-order?run=a',
    ]);
  });
});
