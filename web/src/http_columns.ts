import { Columns } from './kernel/columns.ts';
import type { Detail, Range } from './kernel/detail.ts';
import { arrayOf, type Cells, type Frame, type FrameArray } from './kernel/frame.ts';
import type { Query } from './http.ts';
import type { Cursor } from './source.ts';

/**
 * Which part of a run is asked for, and where does what comes belong?
 *
 * 1. `since` and `branch` say which dumps are held, `width`, `from` and `to` which are looked at and how closely.
 * 2. An answer says which dump its first column is (`first`), and of how many dumps a column is (`level`).
 * 3. What is held is cut there, and what has come is appended.
 */
export function data<T extends Cells>(from: Frame, name: string): T {
  return arrayOf(from, name).data as T;
}

export function cursorOf({ header }: Frame): Cursor {
  const { iteration, branch } = header as unknown as Cursor;
  return { iteration, branch };
}

/** The dump at which the received columns begin. */
export function firstOf({ header }: Frame): number {
  return (header['first'] as number | undefined) ?? 0;
}

export function since(held: Cursor | null): Query {
  return held && held.iteration >= 0 ? { since: held.iteration, branch: held.branch } : {};
}

export function within(range: Range | null): Query {
  if (!range) return {};
  const [from, to] = range.span ?? [];
  return { width: range.columns, from, to };
}

/** What the columns stand for once those received are at their place. */
export function detailOf(got: Frame, received: number): Detail {
  const { level = 1, from = 0, dumps } = got.header as { level?: number; from?: number; dumps: number };
  return { level, first: from, end: Math.min(firstOf(got) + received * level, dumps) };
}

/** The place of the first column received. */
export function placeOf(got: Frame, { level, first }: Detail): number {
  return (firstOf(got) - first) / level;
}

export function grown<T extends Cells>(
  held: Columns<T> | undefined,
  rows: number,
  first: number,
  block: T,
): Columns<T> {
  return held && held.rows === rows && first <= held.length
    ? held.splice(first, block)
    : Columns.of(rows, block);
}

export function grownMatrix<T extends Cells>(
  held: Columns<T> | undefined,
  first: number,
  { shape, data: block }: FrameArray,
): Columns<T> {
  return grown(held, shape[0], first, block as T);
}

export function namesOf({ header }: Frame): string[] {
  return (header['names'] ?? []) as string[];
}
