import type { Rule } from './view_state.ts';

/** Anomaly iterations by class, and how they are drawn when they lie closer than the eye can tell apart. */
export interface Anomaly {
  readonly cls: number;
  readonly dump: number;
  readonly left: number;
  readonly right: number;
  readonly pending: number;
}

/** Scores travel as float32; a threshold of 35 % is not to miss one of 0.35. */
const SHARE_TOLERANCE = 1e-6;

export interface AnomalyTable {
  readonly cls: Int32Array;
  readonly dump: Int32Array;
  readonly left: Float32Array;
  readonly right: Float32Array;
  readonly pending: Float32Array;
}

/** Of which classes, and by which rule, anomalies are looked at. */
export interface AnomalyRestriction {
  readonly rule: Rule;
  /** Empty: of all. */
  readonly classes: ReadonlySet<number>;
}

/** The anomalies that one rule alone would find, or either, of the classes that are looked at. */
export function restricted(
  all: ReadonlyMap<number, readonly Anomaly[]>,
  { rule, classes }: AnomalyRestriction,
  threshold: number,
): Map<number, readonly Anomaly[]> {
  const fires = (anomaly: Anomaly) => rule === 'either' || anomaly[rule] >= threshold - SHARE_TOLERANCE;
  const out = new Map<number, readonly Anomaly[]>();
  for (const [cls, list] of all) {
    const kept = classes.size === 0 || classes.has(cls) ? list.filter(fires) : [];
    if (kept.length > 0) out.set(cls, kept);
  }
  return out;
}

/** Rows of the table arrive sorted by class, then dump. */
export function byClass(table: AnomalyTable): Map<number, Anomaly[]> {
  const out = new Map<number, Anomaly[]>();
  for (let i = 0; i < table.cls.length; i++) {
    const entry: Anomaly = {
      cls: table.cls[i],
      dump: table.dump[i],
      left: table.left[i],
      right: table.right[i],
      pending: table.pending[i],
    };
    const list = out.get(entry.cls);
    if (list) list.push(entry);
    else out.set(entry.cls, [entry]);
  }
  return out;
}

export function scoreOf(anomaly: Anomaly): number {
  return Math.max(anomaly.left, anomaly.right);
}

export interface Glyph {
  readonly x: number;
  /** Highest score of each rule that reaches the threshold, else 0. */
  readonly left: number;
  readonly right: number;
  readonly members: readonly Anomaly[];
}

/**
 * 1. Walk the anomalies from left to right.
 * 2. One nearer than `gap` pixels to the last one joins its glyph.
 * 3. A glyph stands where its strongest member stands.
 */
export function mergeGlyphs(
  anomalies: readonly Anomaly[],
  x: (dump: number) => number,
  threshold: number,
  gap = 4,
): Glyph[] {
  const groups: Anomaly[][] = [];
  for (const anomaly of anomalies) {
    const group = groups[groups.length - 1];
    if (group && x(anomaly.dump) - x(group[group.length - 1].dump) < gap) group.push(anomaly);
    else groups.push([anomaly]);
  }
  return groups.map((members) => glyphOf(members, x, threshold));
}

function glyphOf(members: readonly Anomaly[], x: (dump: number) => number, threshold: number): Glyph {
  const fires = (score: number) => (score > 0 && score >= threshold - SHARE_TOLERANCE ? score : 0);
  const strongest = members.reduce((best, m) => (scoreOf(m) > scoreOf(best) ? m : best));
  return {
    x: x(strongest.dump),
    left: Math.max(...members.map((m) => fires(m.left))),
    right: Math.max(...members.map((m) => fires(m.right))),
    members,
  };
}

/** The largest whole per cent at or under a score, for "Use 30 %". */
export function percentUnder(score: number): number {
  return Math.max(0, Math.min(100, Math.floor(score * 100 + 1e-6)));
}
