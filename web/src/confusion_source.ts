import type { ConfusionTable } from './kernel/confusion.ts';
import type { Range } from './kernel/detail.ts';
import type { Asking, Detailed } from './source.ts';

/** Samples that went from one prediction to another; of how many flows and samples in all. */
export interface Flows {
  readonly cls: Int32Array;
  readonly source: Int32Array;
  readonly target: Int32Array;
  readonly count: Int32Array;
  readonly flows: number;
  readonly samples: number;
}

/** How many samples are taken so, in columns: of each the dump at which most are; -1 where it is not known. */
export interface Course extends Detailed {
  readonly counts: Int32Array;
}

/** Pairs that are confused with each other, at a dump; and their courses, both ways. */
export interface ConfusedPairs extends Detailed {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly there: Int32Array;
  readonly back: Int32Array;
  readonly courses: readonly Int32Array[];
}

/** The first of all samples that are taken so, the surest mistakes before others. */
export interface TakenSamples {
  readonly samples: Int32Array;
  readonly probability: Float32Array;
  readonly names: readonly string[];
  readonly count: number;
}

/** What is asked of which class is taken for which. Dumps are named by their iterations. */
export interface ConfusionSource {
  table(run: string, at: number, to: number | null, asking: Asking): Promise<ConfusionTable>;
  flows(
    run: string,
    span: readonly [number, number],
    cls: number | null,
    most: number,
    asking: Asking,
  ): Promise<Flows>;
  course(run: string, cls: number, predicted: number, range: Range | null, asking: Asking): Promise<Course>;
  pairs(run: string, at: number, most: number, range: Range | null, asking: Asking): Promise<ConfusedPairs>;
  samples(
    run: string,
    at: number,
    cell: readonly [number, number],
    most: number,
    asking: Asking,
  ): Promise<TakenSamples>;
  order(run: string, asking: Asking): Promise<{ readonly order: Int32Array; readonly method: string }>;
}
