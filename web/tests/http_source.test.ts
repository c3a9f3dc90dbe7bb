import { afterEach, describe, expect, it, vi } from 'vitest';
import { HttpSource } from '../src/http_source.ts';
import { SourceError } from '../src/source.ts';
import { frameOf, serve } from './served.ts';

const asking = { signal: new AbortController().signal };
const overall = (header: object, iterations: number[], error: number[]) =>
  frameOf(header, [
    { name: 'iterations', data: Float64Array.from(iterations), shape: [iterations.length] },
    { name: 'validation_error', data: Float32Array.from(error), shape: [error.length] },
    { name: 'training_error', data: Float32Array.from(error), shape: [error.length] },
  ]);

afterEach(() => vi.unstubAllGlobals());

describe('HttpSource', () => {
  it('asks for the rest only, and follows a branch back', async () => {
    const asked = serve(
      overall({ first: 0, iteration: 20, branch: 0 }, [0, 10, 20], [1, 0.5, 0.25]),
      overall({ first: 3, iteration: 30, branch: 0 }, [30], [0.125]),
      overall({ first: 2, iteration: 25, branch: 1 }, [15, 25], [0.75, 0.5]),
    );
    const source = new HttpSource();
    const first = await source.overall('a/b c', null, asking);
    const second = await source.overall('a/b c', first, asking);
    const third = await source.overall('a/b c', second, asking);
    expect(asked).toEqual([
      '/api/overall?run=a%2Fb%20c',
      '/api/overall?run=a%2Fb%20c&since=20&branch=0',
      '/api/overall?run=a%2Fb%20c&since=30&branch=0',
    ]);
    expect([...second.validation.row(0)]).toEqual([1, 0.5, 0.25, 0.125]);
    expect([...third.iterations.row(0)]).toEqual([0, 10, 15, 25]);
    expect([...third.validation.row(0)]).toEqual([1, 0.5, 0.75, 0.5]);
    expect(third.branch).toBe(1);
  });

  it('appends labels row by row', async () => {
    const labels = (first: number, data: number[], columns: number) =>
      frameOf({ first, iteration: first + columns, branch: 0, names: ['a', 'b'] }, [
        { name: 'labels', data: Int16Array.from(data), shape: [2, columns] },
        { name: 'samples', data: Int32Array.from([6, 7]), shape: [2] },
        { name: 'order', data: Int32Array.from([1, 0]), shape: [2] },
      ]);
    serve(labels(0, [1, 2, 3, 4], 2), labels(2, [5, 6], 1));
    const source = new HttpSource();
    const held = await source.classLabels('a', 3, null, asking);
    const grown = await source.classLabels('a', 3, held, asking);
    expect([[...grown.labels.row(0)], [...grown.labels.row(1)]]).toEqual([
      [1, 2, 5],
      [3, 4, 6],
    ]);
  });

  it('says in the server’s words why a question was not answered', async () => {
    const error = { error: { status: 404, message: 'no run here.', remedy: 'Record one.' } };
    serve(
      new Response(JSON.stringify(error), { status: 404 }),
      new Response('<html>', { status: 502, statusText: 'Bad' }),
    );
    const source = new HttpSource();
    const failure = await source.run('x', asking).catch((e: unknown) => e as SourceError);
    expect(failure).toMatchObject({
      message: 'no run here.',
      remedy: 'Record one.',
      status: 404,
      endpoint: '/api/run?run=x',
    });
    await expect(source.run('x', asking)).rejects.toMatchObject({ message: 'Bad', status: 502 });
  });

  it('says that nobody answers', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    await expect(new HttpSource().runs(asking)).rejects.toMatchObject({ status: 0, endpoint: '/api/runs' });
  });
});

describe('answers in levels of detail', () => {
  /** Of one node. */
  const stats = (header: object, rows: Record<string, number[]>) =>
    frameOf(
      { iteration: 99, branch: 0, ...header },
      Object.entries(rows).map(([name, cells]) => ({
        name,
        data: Float32Array.from(cells),
        shape: [1, cells.length],
      })),
    );

  it('say of which dumps they are, and carry mean and extremes', async () => {
    const rows = { values: [1, 2], lowest: [0, 1], highest: [5, 9] };
    const asked = serve(stats({ level: 4, from: 8, first: 8, dumps: 14 }, rows));
    const range = { columns: 2, span: [9, 14] } as const;
    const got = await new HttpSource().nodeStats('a', 'sd', range, null, asking);
    expect(asked).toEqual(['/api/node-stats?run=a&measure=sd&width=2&from=9&to=14']);
    expect(got.detail).toEqual({ level: 4, first: 8, end: 14 });
    expect([[...got.values.row(0)], [...got.lowest.row(0)], [...got.highest.row(0)]]).toEqual([
      [1, 2],
      [0, 1],
      [5, 9],
    ]);
  });

  it('grow by columns, the last one anew, and come whole where their level has changed', async () => {
    const whole = { columns: 3, span: null };
    const asked = serve(
      stats({ level: 4, from: 0, first: 0, dumps: 10 }, { values: [1, 2, 3], lowest: [1, 1, 1], highest: [4, 4, 4] }), // prettier-ignore
      stats({ level: 4, from: 0, first: 8, dumps: 12 }, { values: [7], lowest: [6], highest: [8] }),
      stats({ level: 4, from: 0, first: 12, dumps: 12 }, { values: [], lowest: [], highest: [] }),
      stats({ level: 16, from: 0, first: 0, dumps: 13 }, { values: [5], lowest: [4], highest: [9] }),
    );
    const source = new HttpSource();
    let held = await source.nodeStats('a', 'sd', whole, null, asking);
    held = await source.nodeStats('a', 'sd', whole, held, asking);
    expect(asked[1]).toBe('/api/node-stats?run=a&measure=sd&width=3&since=99&branch=0&level=4');
    expect([[...held.values.row(0)], [...held.lowest.row(0)]]).toEqual([[1, 2, 7], [1, 1, 6]]); // prettier-ignore
    expect(held.detail).toEqual({ level: 4, first: 0, end: 12 });
    held = await source.nodeStats('a', 'sd', whole, held, asking);
    expect([[...held.highest.row(0)], held.detail.end]).toEqual([[4, 4, 8], 12]);
    held = await source.nodeStats('a', 'sd', whole, held, asking);
    expect([[...held.values.row(0)], [...held.highest.row(0)]]).toEqual([[5], [9]]);
    expect(held.detail).toEqual({ level: 16, first: 0, end: 13 });
  });

  it('are every dump where no columns are asked for', async () => {
    const asked = serve(stats({ first: 0, dumps: 2 }, { values: [1, 2] }));
    const got = await new HttpSource().nodeStats('a', 'sd', null, null, asking);
    expect(asked).toEqual(['/api/node-stats?run=a&measure=sd']);
    expect(got.detail).toEqual({ level: 1, first: 0, end: 2 });
    expect(got.highest).toBe(got.values);
  });
});

describe('the samples of a class', () => {
  interface Answered {
    first: number;
    dumps: number;
    level: number;
    error: number[][];
    flips: number[];
  }
  const answered = ({ error, flips, level, ...header }: Answered) => {
    const shape = [2, error[0].length];
    const int32 = (name: string, cells: number[]) => ({
      name,
      data: Int32Array.from(cells),
      shape: [cells.length],
    });
    return frameOf({ ...header, level, from: 0, iteration: 99, branch: 0, names: ['a', 'b'] }, [
      { name: 'error', data: Uint8Array.from(error.flat()), shape },
      ...(level === 1 ? [{ name: 'labels', data: Int16Array.from(error.flat()), shape }] : []),
      int32('left', flips),
      int32('right', flips),
      int32('samples', [6, 7]),
      int32('order', [1, 0]),
    ]);
  };
  const rowsOf = (columns: { rows: number; row(at: number): ArrayLike<number> }) =>
    Array.from({ length: columns.rows }, (_, at) => Array.from(columns.row(at)));

  it('grow by columns, and have labels as long as each is a dump; all flips come each time', async () => {
    const range = { columns: 3, span: null };
    const asked = serve(
      answered({ first: 0, dumps: 2, level: 1, error: [[1, 255], [255, 1]], flips: [0, 1] }), // prettier-ignore
      answered({ first: 2, dumps: 3, level: 1, error: [[1], [1]], flips: [0, 2, 1] }),
      answered({ first: 0, dumps: 5, level: 4, error: [[90, 1], [64, 255]], flips: [2, 1] }), // prettier-ignore
    );
    const source = new HttpSource();
    let held = await source.classSamples('a', 3, 10, range, null, asking);
    held = await source.classSamples('a', 3, 10, range, held, asking);
    expect(asked).toEqual([
      '/api/class?run=a&cls=3&window=10&width=3',
      '/api/class?run=a&cls=3&window=10&width=3&since=99&branch=0&level=1',
    ]);
    expect(rowsOf(held.error)).toEqual([[1, 255, 1], [255, 1, 1]]); // prettier-ignore
    expect(held.labels && rowsOf(held.labels)).toEqual(rowsOf(held.error));
    expect([[...held.left], held.detail]).toEqual([[0, 2, 1], { level: 1, first: 0, end: 3 }]);
    held = await source.classSamples('a', 3, 10, range, held, asking);
    expect([rowsOf(held.error), held.labels]).toEqual([[[90, 1], [64, 255]], null]); // prettier-ignore
    expect(held.detail).toEqual({ level: 4, first: 0, end: 5 });
  });

  it('are taken for some classes, and all others together', async () => {
    const asked = serve(
      frameOf({ first: 8, from: 8, level: 4, dumps: 14, iteration: 99, branch: 0 }, [
        { name: 'labels', data: Int32Array.of(5), shape: [1] },
        { name: 'counts', data: Int32Array.of(1, 2, 3, 4), shape: [2, 2] },
        { name: 'known', data: Int32Array.of(8, 6), shape: [2] },
      ]),
    );
    const got = await new HttpSource().takenFor('a', 3, { columns: 2, span: [8, 14] }, asking);
    expect(asked).toEqual(['/api/class-taken?run=a&cls=3&width=2&from=8&to=14']);
    expect(got.counts.map((row) => [...row])).toEqual([[1, 2], [3, 4]]); // prettier-ignore
    expect(got.detail).toEqual({ level: 4, first: 8, end: 14 });
  });
});

describe('the rows of the correlation', () => {
  const settings = {
    window: 10,
    threshold: 0.35,
    rule: 'either',
    top: 100,
    above: null,
    measure: 'change',
    minAppearances: 1,
    significant: false,
    iterations: [800, 1400],
    classes: null,
    layers: null,
  } as const;

  it('are asked for where they are looked at, and say which dumps they are of', async () => {
    const cells = { name: 'cells', data: Uint8Array.of(1, 2, 3, 4), shape: [2, 2] };
    const header = { level: 4, from: 8, first: 0, dumps: 14, iteration: 1400, branch: 0 };
    const asked = serve(frameOf(header, [cells]));
    const range = { columns: 2, span: [8, 14] } as const;
    const got = await new HttpSource().correlationRows('a', settings, 'set', range, asking);
    expect(asked[0]).toMatch(/^\/api\/correlation-rows\?run=a&window=10/);
    expect(asked[0]).toMatch(/&first=800&last=1399&by=set&width=2&from=8&to=14$/);
    expect(got.detail).toEqual({ level: 4, first: 8, end: 14 });
    expect([got.rows, got.columns, got.dumps]).toEqual([2, 2, 14]);
  });
});

describe('a run that has ended', () => {
  const info = (version: string | null) => new Response(JSON.stringify({ id: 'a', version }));

  it('is asked about with its version, so that the browser keeps the answers', async () => {
    const asked = serve(info('1f'), overall({ first: 0, iteration: 20, branch: 0 }, [20], [1]), info(null));
    const source = new HttpSource();
    expect(source.pictureAddress('a', 3)).toBe('/api/picture?run=a&sample=3');
    await source.run('a', asking);
    await source.overall('a', null, asking);
    expect(asked[1]).toBe('/api/overall?run=a&v=1f');
    expect(source.pictureAddress('a', 3)).toBe('/api/picture?run=a&sample=3&v=1f');
    expect(source.pictureAddress('b', 3)).not.toContain('v=');
    await source.run('a', asking);
    expect(source.pictureAddress('a', 3)).not.toContain('v=');
  });
});
