import { MISSING, UNDEFINED } from './labels.ts';

/**
 * What stands in which cell of the confusion matrix?
 *
 * 1. The server counts the cells that occur, at one dump or at two: of each true class, what its samples are taken for.
 * 2. Rows are true classes, columns what is predicted, in one order. Behind the classes come, where they occur: those that
 *    no sample has, those left out of the view (together), no number, not evaluated.
 * 3. A cell is a share of the evaluated samples of its row; of two dumps, the difference of both shares.
 */
export interface ConfusionTable {
  /** The cells of true class c are [offsets[c], offsets[c + 1]). */
  readonly offsets: Int32Array;
  readonly predicted: Int32Array;
  readonly count: Int32Array;
  /** At the earlier of two dumps; null where only one is looked at. */
  readonly before: Int32Array | null;
}

/** A column: all predicted classes that the view leaves out. */
export const OTHERS = -3;

export interface Matrix {
  /** True classes from top to bottom. */
  readonly rows: Int32Array;
  /** Predicted classes from left to right, or what stands for no class. */
  readonly columns: Int32Array;
  /** Columns that stand for a class with a row. */
  readonly classes: number;
}

export interface Counted {
  readonly count: number;
  /** Samples of the row that count in shares. */
  readonly of: number;
}

/** Drawn cells: their places, the share (signed, where two dumps are compared), and counts. */
export interface Entries {
  readonly row: Int32Array;
  readonly column: Int32Array;
  readonly share: Float32Array;
  readonly count: Int32Array;
  readonly before: Int32Array | null;
}

function rowTotal({ offsets, predicted }: ConfusionTable, counts: Int32Array, cls: number): number {
  let sum = 0;
  for (let i = offsets[cls]; i < offsets[cls + 1]; i++) if (predicted[i] !== MISSING) sum += counts[i];
  return sum;
}

export function classesOf(table: ConfusionTable): number {
  return table.offsets.length - 1;
}

/** How many samples of a class were evaluated. */
export function evaluated(table: ConfusionTable, cls: number, which: 'count' | 'before' = 'count'): number {
  const counts = table[which];
  return counts && cls >= 0 && cls < classesOf(table) ? rowTotal(table, counts, cls) : 0;
}

/** Samples of a class that are taken so; of those not evaluated the share is of the whole class. */
export function countAt(
  table: ConfusionTable,
  cls: number,
  label: number,
  which: 'count' | 'before' = 'count',
): Counted {
  const counts = table[which];
  if (!counts || cls < 0 || cls >= classesOf(table)) return { count: 0, of: 0 };
  let count = 0;
  let all = 0;
  for (let i = table.offsets[cls]; i < table.offsets[cls + 1]; i++) {
    if (table.predicted[i] === label) count = counts[i];
    all += counts[i];
  }
  return { count, of: label === MISSING ? all : rowTotal(table, counts, cls) };
}

/** The share of a class's evaluated samples that are taken for something else; NaN where it has none. */
export function errorOf(table: ConfusionTable, cls: number, which: 'count' | 'before' = 'count'): number {
  const { count, of } = countAt(table, cls, cls, which);
  return of > 0 ? 1 - count / of : Number.NaN;
}

/** Rows and columns in an order of classes; only those in `only`, where there are any. */
export function matrixOf(table: ConfusionTable, order: ArrayLike<number>, only: ReadonlySet<number>): Matrix {
  const count = classesOf(table);
  const rows = Int32Array.from(order).filter((cls) => cls < count && (only.size === 0 || only.has(cls)));
  const shown = new Set(rows);
  const extra = new Set<number>();
  for (const cls of rows) {
    for (let i = table.offsets[cls]; i < table.offsets[cls + 1]; i++) {
      const label = table.predicted[i];
      if (!shown.has(label)) extra.add(label >= 0 && label < count ? OTHERS : label);
    }
  }
  const beyond = [...extra].filter((label) => label >= 0).sort((a, b) => a - b);
  const rest = [OTHERS, UNDEFINED, MISSING].filter((label) => extra.has(label));
  return { rows, columns: Int32Array.from([...rows, ...beyond, ...rest]), classes: rows.length };
}

export function entriesOf(table: ConfusionTable, matrix: Matrix): Entries {
  const { rows, columns } = matrix;
  const place = new Map<number, number>();
  columns.forEach((label, at) => place.set(label, at));
  const others = place.get(OTHERS) ?? -1;
  const out = { row: [] as number[], column: [] as number[], share: [] as number[] };
  const counts: number[] = [];
  const befores: number[] = [];
  rows.forEach((cls, row) => {
    const totals = [rowTotal(table, table.count, cls), table.before ? rowTotal(table, table.before, cls) : 0];
    const put = (column: number, label: number, count: number, before: number) => {
      const share = (part: number, total: number) => {
        const of = label === MISSING ? total + part : total;
        return of > 0 ? part / of : 0;
      };
      out.row.push(row);
      out.column.push(column);
      out.share.push(share(count, totals[0]) - share(before, totals[1]));
      counts.push(count);
      befores.push(before);
    };
    let left = 0;
    let leftBefore = 0;
    for (let i = table.offsets[cls]; i < table.offsets[cls + 1]; i++) {
      const label = table.predicted[i];
      const column = place.get(label);
      const before = table.before?.[i] ?? 0;
      if (column !== undefined) put(column, label, table.count[i], before);
      else {
        left += table.count[i];
        leftBefore += before;
      }
    }
    if (left + leftBefore > 0 && others >= 0) put(others, OTHERS, left, leftBefore);
  });
  return {
    row: Int32Array.from(out.row),
    column: Int32Array.from(out.column),
    share: Float32Array.from(out.share),
    count: Int32Array.from(counts),
    before: table.before ? Int32Array.from(befores) : null,
  };
}

/** So many samples of a class are taken for a label. */
export interface Taken {
  readonly cls: number;
  readonly label: number;
  readonly count: number;
}

/** What the samples of a class are taken for, the most frequent first. */
export function breakdown(table: ConfusionTable, cls: number, which: 'count' | 'before' = 'count'): Taken[] {
  const counts = table[which];
  if (!counts || cls < 0 || cls >= classesOf(table)) return [];
  const out: Taken[] = [];
  for (let i = table.offsets[cls]; i < table.offsets[cls + 1]; i++) {
    if (counts[i] > 0) out.push({ cls, label: table.predicted[i], count: counts[i] });
  }
  return out.sort((a, b) => b.count - a.count || a.label - b.label);
}

/**
 * What classes are ordered by. `cluster` -1: classes that no cluster has, which come last. As long as clusters or the order
 * of confused classes are not known (null), classes are ordered by error: clusters go from easy to hard as well.
 */
export interface OrderFacts {
  readonly names: readonly string[];
  /** Newest error of each class. */
  readonly error: ArrayLike<number>;
  readonly cluster: ArrayLike<number> | null;
  /** The classes in the order in which confused ones are neighbours. */
  readonly confused: ArrayLike<number> | null;
}

export function orderedClasses(
  how: 'cluster' | 'name' | 'error' | 'confusion',
  facts: OrderFacts,
): Int32Array {
  const { names, error, cluster, confused } = facts;
  const known = (value: number) => (Number.isNaN(value) ? 2 : value);
  const byError = (a: number, b: number) => known(error[a]) - known(error[b]) || a - b;
  const all = Array.from(names, (_, cls) => cls);
  if (how === 'name') {
    return Int32Array.from(
      all.sort((a, b) => names[a].localeCompare(names[b], 'en', { numeric: true }) || a - b),
    );
  }
  if (how === 'confusion' && confused) {
    const listed = Array.from(confused).filter((cls) => cls < names.length);
    const has = new Set(listed);
    return Int32Array.from([...listed, ...all.filter((cls) => !has.has(cls))]);
  }
  if (how === 'cluster' && cluster) {
    const of = (cls: number) => (cluster[cls] >= 0 ? cluster[cls] : Number.MAX_SAFE_INTEGER);
    return Int32Array.from(all.sort((a, b) => of(a) - of(b) || byError(a, b)));
  }
  return Int32Array.from(all.sort(byError));
}

/** Neighbouring rows of one cluster: [from, to). */
export interface Group {
  readonly cluster: number;
  readonly from: number;
  readonly to: number;
}

export function groupsOf(rows: ArrayLike<number>, cluster: ArrayLike<number>): Group[] {
  const out: Group[] = [];
  for (let row = 0; row < rows.length; row++) {
    const own = cluster[rows[row]] ?? -1;
    const last = out[out.length - 1];
    if (last && last.cluster === own) out[out.length - 1] = { ...last, to: row + 1 };
    else out.push({ cluster: own, from: row, to: row + 1 });
  }
  return out.filter((group) => group.cluster >= 0);
}
