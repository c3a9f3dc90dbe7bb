import { describe, expect, it, vi } from 'vitest';
import { CorrelationIndex } from '../../src/kernel/correlation.ts';
import { THEMES } from '../../src/kernel/colour.ts';
import { DEFAULTS, type View } from '../../src/kernel/view_state.ts';
import type { Correlation } from '../../src/source.ts';
import { CubeStage } from '../../src/views/cube/cube_stage.svelte.ts';
import { CubeCursor } from '../../src/views/cube/keyboard.ts';
import { CubeGestures } from '../../src/views/cube/pointer.ts';
import { TRANSITION_MS } from '../../src/views/cube/transition.ts';
import { onStage } from '../../src/kernel/cube_geometry.ts';
import { randomCorrelation } from '../random_correlation.ts';

vi.stubGlobal('devicePixelRatio', 1);

const DUMPS = 200;

/** The stage of a page that is not there: its data have come, and its link is an object. */
function stageOf(view: Partial<View> = {}, seed = 1) {
  const table = randomCorrelation(seed);
  const settings = { threshold: 0, rule: 'either', measure: 'change' };
  const correlation = { ...table, settings } as unknown as Correlation;
  const iterations = Float64Array.from({ length: DUMPS }, (_, dump) => dump * 10);
  const overall = { value: null };
  const run = { iterations, dumps: DUMPS, overall, info: { value: null }, pause: vi.fn(), resume: vi.fn() };
  const data = {
    run,
    shown: { correlation, rows: null },
    index: new CorrelationIndex(correlation),
    network: null,
    errors: { over: () => null },
    rowsOver: () => null,
    nameOf: (cls: number) => `class ${cls}`,
    layerName: (layer: number) => `layer ${layer}`,
  };
  const store = {
    v: { ...DEFAULTS, ...view },
    commit(change: Partial<View>) {
      this.v = { ...this.v, ...change };
    },
  };
  const stage = new CubeStage(data as never, store as never, { theme: THEMES.light } as never);
  stage.width = 1388;
  stage.height = 900;
  return { stage, store, run };
}

function press(cursor: CubeCursor, key: string, some: Partial<KeyboardEvent> = {}): void {
  cursor.press({
    key,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    shiftKey: false,
    ...some,
  } as KeyboardEvent);
}

const event = (some: Partial<PointerEvent> = {}) =>
  ({ button: 0, shiftKey: false, altKey: false, ...some }) as PointerEvent;

describe('the cursor', () => {
  it('moves over dumps and rows of the front', () => {
    const { stage } = stageOf();
    const cursor = new CubeCursor(stage);
    cursor.enter('front');
    expect(stage.hover).toMatchObject({ place: 'front', dump: DUMPS - 1, set: 0 });
    press(cursor, 'ArrowLeft', { shiftKey: true });
    press(cursor, 'ArrowDown');
    const { table } = stage.model ?? {};
    expect(stage.hover).toMatchObject({
      dump: DUMPS - 11,
      filter: table?.filters[1],
      set: table?.filterSet[1],
    });
    press(cursor, 'Home');
    expect(stage.hover?.dump).toBe(0);
  });

  it('goes on to the next layer at the end of one, and stops at the last row', () => {
    const { stage } = stageOf();
    const cursor = new CubeCursor(stage);
    cursor.enter('front');
    const rows = stage.model?.layers[0].rows.length ?? 0;
    for (let i = 0; i < rows; i++) press(cursor, 'ArrowDown');
    expect(stage.hover?.layer).toBe(stage.model?.layers[1].layer);
    for (let i = 0; i < 20; i++) press(cursor, 'ArrowDown', { shiftKey: true });
    const last = (stage.model?.table.filters.length ?? 0) - 1;
    expect(stage.hover?.set).toBe(stage.model?.table.filterSet[last]);
  });

  it('moves over columns and rows of the right, and says where a mini-set hits', () => {
    const { stage } = stageOf();
    const cursor = new CubeCursor(stage);
    cursor.enter('right');
    expect(stage.hover).toMatchObject({ place: 'right', column: 0 });
    press(cursor, 'End');
    const last = (stage.model?.table.columnDump.length ?? 0) - 1;
    expect(stage.hover?.column).toBe(last);
    press(cursor, 'ArrowLeft');
    expect(stage.hover).toMatchObject({ column: last - 1, dump: stage.model?.table.columnDump[last - 1] });
    press(cursor, 'Home');
    const hit = [...(stage.model?.sets ?? [])].find((set) => stage.model?.isHit(set, 0)) ?? 0;
    for (let i = 0; i < 60 && stage.hover?.set !== hit; i++) press(cursor, 'ArrowDown');
    expect(stage.hover).toMatchObject({ set: hit, isHit: true });
  });

  it('moves class by class where cells are counts', () => {
    const { stage } = stageOf({ cells: 'counts' });
    const cursor = new CubeCursor(stage);
    cursor.enter('right');
    press(cursor, 'ArrowRight');
    const { cls } = stage.model?.classes[1] ?? {};
    expect(stage.hover).toMatchObject({ place: 'right', cls, column: null, dump: null });
    press(cursor, 'ArrowDown');
    expect(stage.hover).toMatchObject({ cls, dump: null });
  });

  it('follows the top as it lies: up is farther in the cube, later below in the flat layout', () => {
    const { stage } = stageOf();
    const cursor = new CubeCursor(stage);
    cursor.enter('top');
    press(cursor, 'ArrowUp');
    expect(stage.hover).toMatchObject({ cls: stage.model?.classes[1].cls, dump: DUMPS - 1 });
    const flat = stageOf({ layout: 'flat' });
    const other = new CubeCursor(flat.stage);
    other.enter('top');
    press(other, 'ArrowUp');
    press(other, 'ArrowRight');
    expect(flat.stage.hover).toMatchObject({ cls: flat.stage.model?.classes[1].cls, dump: DUMPS - 2 });
  });

  it('pins with Enter, changes layout and cells, and brushes', () => {
    const { stage, store } = stageOf();
    const cursor = new CubeCursor(stage);
    cursor.enter('front');
    press(cursor, 'Enter');
    expect(store.v.minis).toEqual([stage.model?.table.setId[0]]);
    press(cursor, 'c');
    press(cursor, 'M');
    expect([store.v.layout, store.v.cells]).toEqual(['flat', 'counts']);
    press(cursor, 'b');
    press(cursor, 'ArrowLeft');
    press(cursor, 'ArrowLeft');
    press(cursor, 'b');
    expect(store.v.brush).toEqual([(DUMPS - 3) * 10, (DUMPS - 1) * 10 + 1]);
  });

  it('keeps iteration, class and row on the way from face to face', () => {
    const { stage } = stageOf();
    const cursor = new CubeCursor(stage);
    cursor.enter('right');
    press(cursor, 'End');
    press(cursor, 'ArrowDown');
    const { dump, cls, set } = stage.hover ?? {};
    cursor.enter('front');
    expect(stage.hover).toMatchObject({ place: 'front', dump, set });
    cursor.enter('top');
    expect(stage.hover?.dump).toBe(dump);
    expect(cls).not.toBeNull();
  });
});

describe('the hand', () => {
  const at = (stage: CubeStage, face: 'front' | 'top' | 'right', x: number, y: number) => {
    const { scene } = stage;
    if (!scene) throw new Error('there is no picture.');
    return onStage(scene.placement, face, scene.sizes, x, y);
  };

  it('brushes the same iterations on front and top, in every layout', () => {
    for (const [layout, face] of [
      ['cube', 'front'],
      ['cube', 'top'],
      ['flat', 'top'],
      ['top', 'top'],
    ] as const) {
      const { stage, store } = stageOf({ layout });
      const hand = new CubeGestures(stage);
      hand.down(event(), ...at(stage, face, 50.5, 3));
      hand.move(event(), ...at(stage, face, 80.5, 3));
      expect(stage.draftBrush).toEqual([50, 81]);
      hand.up(...at(stage, face, 80.5, 3));
      expect(store.v.brush).toEqual([500, 810]);
    }
  });

  it('moves an edge of the brush, and extends it with Shift', () => {
    const { stage, store } = stageOf({ brush: [500, 810] });
    const hand = new CubeGestures(stage);
    const edge = at(stage, 'top', 81, 30);
    expect(hand.cursor(hoverOfTop(stage), ...edge)).toBe('ew-resize');
    hand.down(event(), ...edge);
    hand.move(event(), ...at(stage, 'top', 100.5, 30));
    hand.up(...at(stage, 'top', 100.5, 30));
    expect(store.v.brush).toEqual([500, 1010]);
  });

  it('selects layers and classes on the right, and asks for nothing before it lets go', () => {
    const { stage, store } = stageOf();
    const hand = new CubeGestures(stage);
    const { classes = [], layers = [] } = stage.model ?? {};
    hand.down(event(), ...at(stage, 'right', classes[2].x + 1, layers[1].y + 1));
    hand.move(event(), ...at(stage, 'right', classes[4].x + 1, layers[3].y + 1));
    expect(store.v.onlyClasses).toEqual([]);
    expect(hand.dragging).toBe(true);
    hand.up(...at(stage, 'right', classes[4].x + 1, layers[3].y + 1));
    expect(store.v.onlyClasses).toEqual([2, 3, 4].map((i) => classes[i].cls));
    expect(store.v.onlyLayers).toEqual([1, 2, 3].map((i) => layers[i].layer));
    expect(stage.rubber).toBeNull();
  });

  it('pins with a click; Shift adds, Alt removes', () => {
    const { stage, store } = stageOf();
    const hand = new CubeGestures(stage);
    const click = (set: number, some: Partial<PointerEvent> = {}) => {
      const place = at(stage, 'front', 100, (stage.model?.setY[set] ?? 0) + 0.5);
      hand.down(event(some), ...place);
      hand.up(...place);
    };
    const id = (set: number) => stage.model?.table.setId[set];
    click(3);
    click(1, { shiftKey: true });
    expect(store.v.minis).toEqual([id(3), id(1)]);
    click(3, { altKey: true });
    expect(store.v.minis).toEqual([id(1)]);
    click(5);
    expect(store.v.minis).toEqual([id(5)]);
  });
});

function hoverOfTop(stage: CubeStage) {
  const cursor = new CubeCursor(stage);
  cursor.enter('top');
  if (!stage.hover) throw new Error('the cursor is nowhere.');
  return stage.hover;
}

describe('a change of layout', () => {
  it('goes from what was drawn to its end, and begins anew from there when turned round', () => {
    const cube = stageOf().stage.placement;
    const flat = stageOf({ layout: 'flat' }).stage;
    flat.drawn = cube;
    flat.beginTransition(1000);
    expect(flat.placement.faces).toEqual(cube.faces);
    flat.advance(1000 + TRANSITION_MS / 2);
    const half = flat.placement.faces.top.matrix;
    expect(half.b).toBeCloseTo(flat.target.faces.top.matrix.b / 2, 6);
    flat.drawn = flat.placement;
    flat.beginTransition(2000);
    expect(flat.placement.faces.top.matrix).toEqual(half);
    flat.advance(2000 + TRANSITION_MS);
    expect(flat.moving).toBe(false);
    expect(flat.placement).toEqual(flat.target);
  });
});
