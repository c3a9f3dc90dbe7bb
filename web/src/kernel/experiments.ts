import { encodeId } from './link_values.ts';

/** What inactivating some filters did to the error (docs/experiments.md). Errors and changes are shares. */
export interface Experiment {
  readonly id: string;
  readonly created: string;
  readonly command: string;
  readonly origin: 'filters' | 'mini-set' | 'dead';
  /** Twelve hexadecimal digits. */
  readonly mini_set: string | null;
  readonly iteration: number | null;
  readonly filters: readonly {
    readonly layer: number | null;
    readonly name: string;
    readonly filters: readonly number[];
  }[];
  readonly samples: number;
  readonly error_before: number;
  readonly error_after: number;
  readonly change: number;
  readonly low: number;
  readonly high: number;
  readonly level: number;
  readonly random: readonly number[];
  readonly expected: 'more' | 'less';
  readonly p: number | null;
  readonly classes: readonly ClassChange[];
  readonly notes: readonly string[];
}

export interface ClassChange {
  readonly class: number;
  readonly samples: number;
  readonly before: number;
  readonly after: number;
  readonly change: number;
  readonly low: number;
  readonly high: number;
}

export function ofMiniSet(experiments: readonly Experiment[], id: number): Experiment[] {
  const wanted = encodeId(id);
  return experiments.filter(({ mini_set }) => mini_set === wanted);
}

/** The scale that an experiment is drawn on: 0, its interval, and every random group. */
export function scaleOf({ low, high, change, random }: Experiment): readonly [number, number] {
  const all = [0, low, high, change, ...random];
  const lo = Math.min(...all);
  const hi = Math.max(...all);
  const pad = Math.max(0.005, (hi - lo) * 0.06);
  return [lo - pad, hi + pad];
}

const MINUS = '\u2212';

/** A change of the error in per cent points, with its sign. */
export function changeText(change: number): string {
  const points = Math.abs(change * 100);
  const digits = points > 0 && points < 9.95 ? 1 : 0;
  const text = points.toFixed(digits);
  const sign = Number(text) === 0 ? '' : change < 0 ? MINUS : '+';
  return `${sign}${Number(text) === 0 ? '0' : text}`;
}

/** What an experiment is of: "8 filters of conv1, 3 of conv2". */
export function filtersText({ filters }: Experiment): string {
  return filters
    .map(
      ({ name, filters: list }, i) =>
        `${list.length}${i === 0 ? (list.length === 1 ? ' filter' : ' filters') : ''} of ${name}`,
    )
    .join(', ');
}

/** Against the random groups: "more than all 20 random groups". */
export function againstText({ random, change, expected }: Experiment): string {
  if (random.length === 0) return 'no random groups to compare with';
  const isBeyond = (other: number) => (expected === 'less' ? other > change : other < change);
  const beyond = random.filter(isBeyond).length;
  return `${expected} than ${beyond} of ${random.length} random groups`;
}

/** The command that makes an experiment; model, validation data and snapshots are the user's own. */
export function ablateCommand(run: string, which: string): string {
  return `deeptracker ablate ${quoted(run)} ${which} --model train:make_model --validation train:val_loader --checkpoints checkpoints/`;
}

/** A path as a shell takes it. */
export function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
