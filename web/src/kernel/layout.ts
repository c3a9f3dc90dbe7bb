/**
 * Which row of the Validation view lies where? One flat list of rows from top to bottom, in content pixels.
 *
 * 1. Each cluster is a stripe. Opened, it is followed by its classes; an opened class is shown in a closed one too.
 * 2. An opened class is followed by its flips, its pixel chart, and the labels it is taken for.
 * 3. Many classes in one cluster make thin stripes, named when hovered.
 */
export interface ClusterRow {
  readonly kind: 'cluster';
  readonly cluster: number;
  readonly open: boolean;
  readonly y: number;
  readonly h: number;
}

export interface ClassRow {
  readonly kind: 'class';
  readonly cluster: number;
  readonly cls: number;
  readonly open: boolean;
  readonly thin: boolean;
  readonly y: number;
  readonly h: number;
}

export interface FlipsRow {
  readonly kind: 'flips';
  readonly cls: number;
  readonly y: number;
  readonly h: number;
}

export interface PixelsRow {
  readonly kind: 'pixels';
  readonly cls: number;
  readonly samples: number;
  /** Height of a sample in pixels; the chart scrolls inside where samples * rowHeight exceeds h. */
  readonly rowHeight: number;
  readonly y: number;
  readonly h: number;
}

export interface TakenRow {
  readonly kind: 'taken';
  readonly cls: number;
  /** Which of the wrong labels; the last one is all others. */
  readonly index: number;
  readonly y: number;
  readonly h: number;
}

export type Row = ClusterRow | ClassRow | FlipsRow | PixelsRow | TakenRow;

export interface LayoutInput {
  /** Classes to show under each cluster, in order. */
  readonly clusters: readonly (readonly number[])[];
  readonly isClusterOpen: (cluster: number) => boolean;
  readonly isClassOpen: (cls: number) => boolean;
  /** Samples and wrong labels of an opened class; null while they are being fetched. */
  /** Only some classes are looked at: they have rows whether their clusters are opened or not, other clusters none. */
  readonly isRestricted: boolean;
  readonly opened: (cls: number) => { samples: number; taken: number } | null;
  readonly rowHeight: number;
  readonly maxChartHeight: number;
}

export interface Layout {
  readonly rows: readonly Row[];
  readonly height: number;
}

export const HEIGHTS = {
  cluster: 24,
  clusterGap: 5,
  class: 15,
  classGap: 2,
  thin: 5,
  thinGap: 0,
  thinAbove: 200,
  flips: 30,
  taken: 12,
  takenGap: 1,
  chartPad: 6,
} as const;

export function layOut(input: LayoutInput): Layout {
  const rows: Row[] = [];
  let y = 0;
  for (let cluster = 0; cluster < input.clusters.length; cluster++) {
    const open = input.isClusterOpen(cluster);
    if (input.isRestricted && input.clusters[cluster].length === 0) continue;
    rows.push({ kind: 'cluster', cluster, open, y, h: HEIGHTS.cluster });
    y += HEIGHTS.cluster + HEIGHTS.clusterGap;
    const classes = input.clusters[cluster];
    const shown = open || input.isRestricted ? classes : classes.filter(input.isClassOpen);
    y = layOutClasses(input, cluster, shown, y, rows);
  }
  return { rows, height: y };
}

function layOutClasses(
  input: LayoutInput,
  cluster: number,
  shown: readonly number[],
  top: number,
  rows: Row[],
): number {
  let y = top;
  const many = shown.length > HEIGHTS.thinAbove;
  for (const cls of shown) {
    const open = input.isClassOpen(cls);
    const thin = many && !open;
    const h = thin ? HEIGHTS.thin : HEIGHTS.class;
    rows.push({ kind: 'class', cluster, cls, open, thin, y, h });
    y += h + (thin ? HEIGHTS.thinGap : HEIGHTS.classGap);
    if (open) y = layOutOpened(input, cls, y, rows);
  }
  return shown.length > 0 ? y + HEIGHTS.clusterGap : y;
}

function layOutOpened(input: LayoutInput, cls: number, top: number, rows: Row[]): number {
  const opened = input.opened(cls) ?? { samples: 50, taken: 0 };
  let y = top;
  rows.push({ kind: 'flips', cls, y, h: HEIGHTS.flips });
  y += HEIGHTS.flips + 1;
  const wanted = Math.max(input.rowHeight, Math.min(8, 60 / Math.max(1, opened.samples)));
  const h = Math.max(24, Math.min(opened.samples * wanted, input.maxChartHeight));
  rows.push({ kind: 'pixels', cls, samples: opened.samples, rowHeight: wanted, y, h });
  y += h + HEIGHTS.chartPad;
  for (let index = 0; index < opened.taken; index++) {
    rows.push({ kind: 'taken', cls, index, y, h: HEIGHTS.taken });
    y += HEIGHTS.taken + HEIGHTS.takenGap;
  }
  return y + HEIGHTS.chartPad;
}

/** The row at a content height, or null in a gap. */
export function rowAt(layout: Layout, y: number): Row | null {
  const index = firstRowFrom(layout, y);
  const row = layout.rows[index];
  return row && y >= row.y && y < row.y + row.h ? row : null;
}

/** Index of the first row that ends after y. */
export function firstRowFrom(layout: Layout, y: number): number {
  let low = 0;
  let high = layout.rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = layout.rows[middle];
    if (row.y + row.h <= y) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function rowsBetween(layout: Layout, top: number, bottom: number): readonly Row[] {
  const first = firstRowFrom(layout, top);
  let after = first;
  while (after < layout.rows.length && layout.rows[after].y < bottom) after++;
  return layout.rows.slice(first, after);
}

/** The pixel chart of a class; null where the class is closed. */
export function pixelsRowOf(layout: Layout, cls: number): PixelsRow | null {
  for (const row of layout.rows) if (row.kind === 'pixels' && row.cls === cls) return row;
  return null;
}

export type ClassOrder = 'hardest' | 'name' | 'score' | 'similarity';

export interface ClassFacts {
  readonly names: readonly string[];
  /** Newest error of each class. */
  readonly final: ArrayLike<number>;
  /** Highest anomaly score of each class. */
  readonly score: ArrayLike<number>;
  /** Place of each class in similarity order. */
  readonly place: ArrayLike<number>;
}

export function sortClasses(classes: readonly number[], how: ClassOrder, facts: ClassFacts): number[] {
  const by: Record<ClassOrder, (a: number, b: number) => number> = {
    hardest: (a, b) => facts.final[a] - facts.final[b] || a - b,
    name: (a, b) => facts.names[a].localeCompare(facts.names[b], 'en') || a - b,
    score: (a, b) => facts.score[b] - facts.score[a] || a - b,
    similarity: (a, b) => facts.place[a] - facts.place[b] || a - b,
  };
  return [...classes].sort(by[how]);
}
