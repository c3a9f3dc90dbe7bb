import type { ClassSpan } from '../../kernel/correlation_model.ts';
import type { FaceName } from '../../kernel/cube_geometry.ts';
import { TimeCursor } from '../frame/time_cursor.ts';
import { clearInnermost, toggleCells, toggleLayout } from './actions.ts';
import type { CubeStage } from './cube_stage.svelte.ts';
import { NOTHING, type CubeHover } from './hit.ts';
import { activate } from './targets.ts';

/**
 * The cursor of the cube, on the face that has the focus. Its two axes are those of the face as it lies on the screen:
 * dumps and rows on the front; columns and rows on the right; dumps and classes on the top, turned by a quarter where the
 * top is.
 */
export class CubeCursor extends TimeCursor<CubeHover, CubeStage> {
  protected get hover(): CubeHover | null {
    return this.stage.hover;
  }

  protected set hover(hover: CubeHover | null) {
    this.stage.hover = hover;
  }

  /** The keyboard comes to a face: the cursor goes there, and keeps what it can. */
  enter(face: FaceName): void {
    const held = this.hover;
    this.stage.focusFace = face;
    if (held?.place === face) return;
    const last = Math.max(0, Math.min(this.stage.run.dumps, Math.floor(this.stage.zoom[1])) - 1);
    const at = this.#on(face, held?.dump ?? last);
    this.hover = at;
  }

  leave(): void {
    this.stage.focusFace = null;
  }

  protected start(dump: number): CubeHover {
    return this.#on(this.stage.focusFace ?? (this.stage.layout === 'right' ? 'right' : 'front'), dump);
  }

  #on(face: FaceName, dump: number): CubeHover {
    const { model } = this.stage;
    const held = this.hover;
    if (!model) return { ...NOTHING, place: face, dump };
    if (face === 'top') {
      return { ...NOTHING, place: face, dump, cls: held?.cls ?? model.classes[0]?.cls ?? null };
    }
    const row = held?.layer != null ? held : this.#rowAt(0);
    const rows = { layer: row.layer, filter: row.filter, set: row.set };
    if (face === 'front') return { ...NOTHING, place: face, dump, ...rows };
    const span = held?.cls != null ? model.spanOfClass(held.cls) : model.classes[0];
    return this.#atColumn({ ...NOTHING, place: face, ...rows }, held?.column ?? span?.first ?? 0);
  }

  protected atDump(hover: CubeHover, dump: number): CubeHover {
    if (hover.place === 'right') return { ...hover, dump };
    return { ...hover, dump, column: null, isHit: false };
  }

  protected activate(cursor: CubeHover, alt: boolean): void {
    activate(this.stage, cursor, alt ? 'remove' : this.#adds ? 'add' : 'replace');
  }
  #adds = false;

  protected clearInnermost(): boolean {
    return clearInnermost(this.stage);
  }

  protected moveRow(cursor: CubeHover, step: number): void {
    if (cursor.place === 'top') this.#moveClass(cursor, -step);
    else this.hover = this.#withRow(cursor, step);
  }

  protected ownKeys(event: KeyboardEvent): Readonly<Record<string, () => void>> {
    this.#adds = event.shiftKey;
    const keys = { c: () => toggleLayout(this.stage), m: () => toggleCells(this.stage) };
    const cursor = this.cursor();
    const step = event.shiftKey ? 10 : 1;
    if (cursor.place === 'right') return { ...keys, ...this.#keysOfRight(cursor, step) };
    const isTurned = cursor.place === 'top' && this.stage.layout !== 'cube';
    return isTurned ? { ...keys, ...this.#keysOfTurned(cursor, step) } : keys;
  }

  /** Column by column, or class by class where cells are counts. */
  #keysOfRight(cursor: CubeHover, step: number): Record<string, () => void> {
    const stops = this.#counts ? this.#classes.map((_, place) => place) : this.#columns;
    const at = stops.indexOf(this.#counts ? this.#classPlace(cursor) : (cursor.column ?? -1));
    const go = (place: number) => {
      const stop = stops[Math.max(0, Math.min(stops.length - 1, place))];
      if (stop === undefined) return;
      this.hover = this.#counts ? this.#atClass(cursor, stop) : this.#atColumn(cursor, stop);
    };
    return {
      ArrowLeft: () => go(at - step),
      ArrowRight: () => go(at + step),
      Home: () => go(0),
      End: () => go(stops.length - 1),
    };
  }

  #keysOfTurned(cursor: CubeHover, step: number): Record<string, () => void> {
    const dump = cursor.dump ?? 0;
    return {
      ArrowUp: () => this.setDump(dump - step),
      ArrowDown: () => this.setDump(dump + step),
      ArrowLeft: () => this.#moveClass(cursor, -step),
      ArrowRight: () => this.#moveClass(cursor, step),
    };
  }

  get #counts(): boolean {
    return this.stage.limits?.cells === 'counts';
  }

  get #classes(): readonly ClassSpan[] {
    return this.stage.model?.classes ?? [];
  }

  /** The columns that are drawn, in order. */
  get #columns(): number[] {
    return this.#classes.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
  }

  #classPlace(cursor: CubeHover): number {
    return this.#classes.findIndex(({ cls }) => cls === cursor.cls);
  }

  #moveClass(cursor: CubeHover, step: number): void {
    const at = Math.max(0, Math.min(this.#classes.length - 1, this.#classPlace(cursor) + step));
    const cls = this.#classes[at]?.cls ?? null;
    this.hover = { ...cursor, cls, column: null, isHit: false };
  }

  #atClass(cursor: CubeHover, place: number): CubeHover {
    const cls = this.#classes[place]?.cls ?? null;
    return { ...cursor, cls, column: null, dump: null, isHit: false };
  }

  #atColumn(cursor: CubeHover, column: number): CubeHover {
    const { model } = this.stage;
    const place = model?.classOfColumn[column] ?? -1;
    if (!model || place < 0 || this.#counts) return this.#atClass(cursor, Math.max(0, place));
    const isHit = cursor.set !== null && model.isHit(cursor.set, column);
    const { cls } = this.#classes[place];
    return { ...cursor, cls, column, dump: model.table.columnDump[column], isHit };
  }

  #rowAt(place: number): Pick<CubeHover, 'layer' | 'filter' | 'set'> {
    const { model } = this.stage;
    const found = this.#rows[Math.max(0, Math.min(this.#rows.length - 1, place))];
    if (!model || !found) return { layer: null, filter: null, set: null };
    const [layer, row] = found;
    if (model.by === 'layer') return { layer, filter: null, set: null };
    if (model.by === 'set') return { layer, filter: null, set: row };
    return { layer, filter: model.table.filters[row], set: model.table.filterSet[row] };
  }

  /** All rows from top to bottom, each with its layer. */
  get #rows(): (readonly [number, number])[] {
    const spans = this.stage.model?.layers ?? [];
    return spans.flatMap(({ layer, rows }) => Array.from(rows, (row) => [layer, row] as const));
  }

  #placeOfRow({ layer, filter, set }: CubeHover): number {
    const { model } = this.stage;
    if (!model) return -1;
    const { by, table } = model;
    const isRow = (row: number) =>
      by === 'filter' ? table.filters[row] === filter : by === 'layer' || row === set;
    return this.#rows.findIndex(([of, row]) => of === layer && isRow(row));
  }

  #withRow(cursor: CubeHover, step: number): CubeHover {
    const moved = { ...cursor, ...this.#rowAt(this.#placeOfRow(cursor) + step) };
    if (moved.place !== 'right') return { ...moved, isHit: false };
    if (moved.column !== null) return this.#atColumn(moved, moved.column);
    return { ...moved, dump: null, isHit: false };
  }
}
