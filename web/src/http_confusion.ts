import type { ConfusedPairs, ConfusionSource, Course, Flows, TakenSamples } from './confusion_source.ts';
import { cursorOf, data, detailOf, within } from './http_columns.ts';
import { frame, type Query } from './http.ts';
import type { ConfusionTable } from './kernel/confusion.ts';
import type { Range } from './kernel/detail.ts';
import { arrayOf } from './kernel/frame.ts';
import type { Asking } from './source.ts';

/** The server's answers on which class is taken for which (docs/http-api.md). */
export class HttpConfusion implements ConfusionSource {
  readonly #about: (route: string, run: string, query: Query) => string;

  constructor(about: (route: string, run: string, query: Query) => string) {
    this.#about = about;
  }

  async table(run: string, at: number, to: number | null, asking: Asking): Promise<ConfusionTable> {
    const got = await frame(this.#about('confusion', run, { at, to: to ?? undefined }), asking);
    return {
      offsets: data(got, 'offsets'),
      predicted: data(got, 'predicted'),
      count: data(got, 'count'),
      before: to === null ? null : data(got, 'before'),
    };
  }

  async flows(
    run: string,
    [at, to]: readonly [number, number],
    cls: number | null,
    most: number,
    asking: Asking,
  ): Promise<Flows> {
    const query = { at, to, cls: cls ?? undefined, most };
    const got = await frame(this.#about('confusion-flows', run, query), asking);
    return {
      cls: data(got, 'class'),
      source: data(got, 'source'),
      target: data(got, 'target'),
      count: data(got, 'count'),
      flows: Number(got.header['flows']),
      samples: Number(got.header['samples']),
    };
  }

  async course(
    run: string,
    cls: number,
    predicted: number,
    range: Range | null,
    asking: Asking,
  ): Promise<Course> {
    const query = { cls, predicted, ...within(range) };
    const got = await frame(this.#about('confusion-course', run, query), asking);
    const counts = data<Int32Array>(got, 'counts');
    return { ...cursorOf(got), detail: detailOf(got, counts.length), counts };
  }

  async pairs(
    run: string,
    at: number,
    most: number,
    range: Range | null,
    asking: Asking,
  ): Promise<ConfusedPairs> {
    const got = await frame(this.#about('confused-pairs', run, { at, most, ...within(range) }), asking);
    const { shape, data: counts } = arrayOf(got, 'counts');
    const [rows, columns] = shape;
    return {
      ...cursorOf(got),
      detail: detailOf(got, columns),
      first: data(got, 'first'),
      second: data(got, 'second'),
      there: data(got, 'there'),
      back: data(got, 'back'),
      courses: Array.from({ length: rows }, (_, row) =>
        (counts as Int32Array).subarray(row * columns, (row + 1) * columns),
      ),
    };
  }

  async samples(
    run: string,
    at: number,
    [cls, predicted]: readonly [number, number],
    most: number,
    asking: Asking,
  ): Promise<TakenSamples> {
    const query = { at, cls, predicted, most };
    const got = await frame(this.#about('confusion-samples', run, query), asking);
    return {
      samples: data(got, 'samples'),
      probability: data(got, 'probability'),
      names: (got.header['names'] ?? []) as string[],
      count: Number(got.header['count']),
    };
  }

  async order(run: string, asking: Asking) {
    const got = await frame(this.#about('confusion-order', run, {}), asking);
    return { order: data<Int32Array>(got, 'order'), method: String(got.header['order_method'] ?? '') };
  }
}
