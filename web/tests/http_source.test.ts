import { afterEach, describe, expect, it, vi } from 'vitest';
import { HttpSource } from '../src/http_source.ts';
import { SourceError } from '../src/source.ts';

interface Sent {
  name: string;
  data: Uint8Array | Int16Array | Int32Array | Float32Array | Float64Array;
  shape: number[];
}

function frameOf(header: object, arrays: Sent[]): ArrayBuffer {
  let offset = 0;
  const entries = arrays.map(({ name, data, shape }) => {
    const dtype = data.constructor.name.replace('Array', '').toLowerCase();
    const entry = { name, dtype, shape, offset };
    offset += Math.ceil(data.byteLength / 8) * 8;
    return entry;
  });
  const text = new TextEncoder().encode(JSON.stringify({ arrays: entries, ...header }));
  const begin = Math.ceil((8 + text.length) / 8) * 8;
  const bytes = new Uint8Array(begin + offset);
  bytes.set(new TextEncoder().encode('DTK1'));
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(text, 8);
  entries.forEach((entry, i) => {
    const { data } = arrays[i];
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), begin + entry.offset);
  });
  return bytes.buffer;
}

function serve(...answers: (ArrayBuffer | Response)[]) {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (address: string) => {
    asked.push(address);
    const answer = answers.shift();
    return answer instanceof Response ? answer : new Response(answer);
  });
  return asked;
}

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
    const held = await source.classSamples('a', 3, null, asking);
    const grown = await source.classSamples('a', 3, held, asking);
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
