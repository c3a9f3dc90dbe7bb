import type { CorrelationIndex } from '../../kernel/correlation.ts';
import { csvLine } from '../../kernel/csv.ts';
import { encodeId } from '../../kernel/link_values.ts';

/**
 * The correlation as tables: mini-sets, the pairs of mini-sets and classes, and the columns. Of what is selected where
 * something is: pinned mini-sets, pinned classes, brushed iterations; else of all that is shown.
 */
export interface Tabled {
  readonly index: CorrelationIndex;
  readonly iterations: ArrayLike<number>;
  /** Ids, and classes of the run; none selects all. */
  readonly minis: readonly number[];
  readonly classes: readonly number[];
  /** Dumps [from, to); null selects all. */
  readonly brush: readonly [number, number] | null;
  nameOf(cls: number): string;
  layerName(layer: number): string;
}

export function miniSetsCsv(from: Tabled): string {
  const { index, iterations } = from;
  const { table } = index;
  const lines = [['mini_set', 'layer', 'filters', 'appears', 'iterations', 'classes', 'significant']];
  for (const set of chosenSets(from)) {
    const pairs = index.pairsOf(set);
    const dumps = index.dumpsOf(set);
    lines.push([
      encodeId(table.setId[set]),
      from.layerName(table.layers[table.setLayer[set]]),
      [...index.filtersOf(set)].join(' '),
      String(dumps.length),
      Array.from(dumps, (dump) => iterations[dump]).join(' '),
      String(pairs.length),
      String(pairs.filter(({ q }) => q <= table.level).length),
    ]);
  }
  return textOf(lines);
}

export function pairsCsv(from: Tabled): string {
  const { index } = from;
  const { table } = index;
  const header = ['mini_set', 'layer', 'class', 'name', 'hits', 'anomaly_iterations', 'appears', 'p', 'q'];
  const lines: (string | number)[][] = [header];
  for (const set of chosenSets(from)) {
    const layer = from.layerName(table.layers[table.setLayer[set]]);
    for (const { cls: place, hits, p, q } of index.pairsOf(set)) {
      const cls = table.classes[place];
      if (!isChosen(from, cls)) continue;
      const jumps = index.jumpsOf(place).length;
      const id = encodeId(table.setId[set]);
      lines.push([
        id,
        layer,
        cls,
        from.nameOf(cls),
        hits,
        jumps,
        index.dumpsOf(set).length,
        exact(p),
        exact(q),
      ]);
    }
  }
  return textOf(lines);
}

export function columnsCsv(from: Tabled): string {
  const { index, iterations, brush } = from;
  const { table } = index;
  const lines: (string | number)[][] = [['class', 'name', 'dump', 'iteration', 'left', 'right', 'mini_sets']];
  const counts = setsOfDumps(from);
  for (let column = 0; column < table.columnDump.length; column++) {
    const cls = table.classes[index.classOfColumn(column)];
    const dump = table.columnDump[column];
    if (!isChosen(from, cls) || (brush && (dump < brush[0] || dump >= brush[1]))) continue;
    const scores = [table.columnLeft[column], table.columnRight[column]].map(exact);
    lines.push([cls, from.nameOf(cls), dump, iterations[dump], ...scores, counts.get(dump) ?? 0]);
  }
  return textOf(lines);
}

function chosenSets({ index, minis }: Tabled): number[] {
  if (minis.length === 0) return [...index.table.setId.keys()];
  return minis.map((id) => index.setOf(id)).filter((set) => set !== null);
}

function isChosen({ classes }: Tabled, cls: number): boolean {
  return classes.length === 0 || classes.includes(cls);
}

/** How many mini-sets appear at each dump. */
function setsOfDumps({ index }: Tabled): Map<number, number> {
  const out = new Map<number, number>();
  for (const dump of index.table.appearanceDump) out.set(dump, (out.get(dump) ?? 0) + 1);
  return out;
}

/** As many digits as a float32 has. */
function exact(value: number): number {
  return Number(value.toPrecision(7));
}

function textOf(lines: readonly (readonly (string | number)[])[]): string {
  return `${lines.map((cells) => csvLine(cells)).join('\n')}\n`;
}
