import { describe, expect, it } from 'vitest';
import {
  faceMatrix,
  faceSize,
  isShown,
  onStage,
  type FaceName,
  type Layout,
} from '../../src/kernel/cube_geometry.ts';
import { apply } from '../../src/kernel/affine.ts';
import { hitAt } from '../../src/views/cube/hit.ts';
import { CLASS_LABEL } from '../../src/views/cube/labels.ts';
import { sceneOf, type Wanted } from '../cube_scene.ts';
import { seeded } from '../random.ts';

const PLACES: readonly Wanted[] = [
  { layout: 'cube' },
  { layout: 'flat' },
  { layout: 'front' },
  { layout: 'top' },
  { layout: 'right' },
  { layout: 'cube', to: ['flat', 0.2] },
  { layout: 'cube', to: ['flat', 0.7] },
  { layout: 'flat', to: ['front', 0.4] },
];

/** 60 random points of a face, in its own units and on the stage. */
function points(wanted: Wanted, face: FaceName) {
  const scene = sceneOf(wanted);
  const random = seeded(5);
  const [w, h] = faceSize(face, scene.sizes);
  const matrix = faceMatrix(scene.placement, face, scene.sizes);
  return Array.from({ length: 60 }, () => {
    const [x, y] = [random() * w, random() * h];
    return { scene, x, y, hit: hitAt(scene, ...apply(matrix, x, y)) };
  });
}

describe('60 random points', () => {
  for (const wanted of PLACES) {
    const name = JSON.stringify(wanted);
    const { placement } = sceneOf(wanted);

    it(`of the front name a dump and a row: ${name}`, () => {
      if (!isShown(placement, 'front')) return;
      for (const { scene, x, y, hit } of points(wanted, 'front')) {
        if (hit?.place !== 'front') throw new Error(`another face: ${hit?.place}`);
        expect(hit.dump).toBe(Math.floor(x));
        const layer = scene.model.layers.find((span) => y >= span.y && y < span.y + span.height);
        expect(hit.layer).toBe(layer?.layer ?? null);
        const row = layer?.rows[Math.floor((y - layer.y) / 2)];
        expect(hit.filter).toBe(row === undefined ? null : scene.model.table.filters[row]);
        expect(hit.set).toBe(row === undefined ? null : scene.model.table.filterSet[row]);
      }
    });

    it(`of the top name a dump and a class, or the triangle that covers them: ${name}`, () => {
      if (!isShown(placement, 'top')) return;
      for (const { scene, x, y, hit } of points(wanted, 'top')) {
        if (hit?.place !== 'top') throw new Error(`another face: ${hit?.place}`);
        if (hit.isHit) {
          expect(scene.model.table.columnDump[hit.column ?? -1]).toBe(hit.dump);
          expect(Math.abs((hit.dump ?? 0) + 0.5 - x)).toBeLessThan(12);
          continue;
        }
        const v = scene.sizes.columns - y;
        const span = scene.model.classes.find((one) => v >= one.x && v < one.x + one.width);
        expect([hit.dump, hit.cls]).toEqual([Math.floor(x), span?.cls]);
      }
    });

    it(`of the right name a class, its nearest iteration and a row: ${name}`, () => {
      for (const { scene, x, y, hit } of points(wanted, 'right')) {
        if (hit?.place !== 'right') throw new Error(`another face: ${hit?.place}`);
        const { model } = scene;
        const span = model.classes.find((one) => x >= one.x && x < one.x + one.width);
        expect(hit.cls).toBe(span?.cls);
        let nearest = -1;
        for (let column = 0; column < model.table.columnDump.length; column++) {
          if (model.classes[model.classOfColumn[column]] !== span) continue;
          const away = (c: number) => Math.abs(model.columnX(c) - x);
          if (nearest < 0 || away(column) < away(nearest)) nearest = column;
        }
        expect(hit.column).toBe(nearest);
        expect(hit.dump).toBe(model.table.columnDump[nearest]);
        const layer = model.layers.find((one) => y >= one.y && y < one.y + one.height);
        expect(hit.layer).toBe(layer?.layer ?? null);
        expect(hit.isHit).toBe(hit.set !== null && model.index.appears(hit.set, hit.dump ?? -1));
      }
    });
  }
});

describe('a face', () => {
  it('that is zoomed in names the dumps that are shown', () => {
    const scene = sceneOf({ zoom: [40, 90] });
    const at = (dump: number) =>
      hitAt(scene, ...onStage(scene.placement, 'front', scene.sizes, dump, 1))?.dump;
    expect([at(0), at(49.9), at(20.5)]).toEqual([40, 89, 60]);
  });

  it('of counts names layer and class only', () => {
    const scene = sceneOf({ cells: 'counts' });
    const [span] = scene.model.classes;
    const [x, y] = onStage(scene.placement, 'right', scene.sizes, span.x + 4, 1);
    expect(hitAt(scene, x, y)).toEqual({
      place: 'right',
      dump: null,
      cls: span.cls,
      layer: scene.model.layers[0].layer,
      filter: null,
      set: null,
      column: null,
      isHit: false,
    });
  });
});

describe('a triangle', () => {
  it('is what is meant wherever it is pointed at, also beyond its stripe', () => {
    const scene = sceneOf({ shape: { classes: 60 } });
    for (const { x, y, columns, cls } of scene.glyphs) {
      const hit = hitAt(scene, x, y);
      expect(hit?.isHit).toBe(true);
      // Another may lie over it, nearer to the viewer.
      if (hit?.cls === cls) expect(columns).toContain(hit.column);
    }
    expect(scene.glyphs.length).toBeGreaterThan(60);
  });
});

describe('around the faces', () => {
  const layouts: readonly Layout[] = ['cube', 'flat', 'front'];

  it('names of layers and classes, the overall error and its axis are found', () => {
    for (const layout of layouts) {
      const scene = sceneOf({ layout });
      const label = scene.layerLabels[1];
      expect(hitAt(scene, label.x - 3, label.y)).toMatchObject({ place: 'layers', layer: label.span.layer });
      const angle = (scene.placement.labelAngle * Math.PI) / 180;
      for (const { x, y, span } of scene.classLabels) {
        const along = CLASS_LABEL.letter * 4;
        const hit = hitAt(scene, x + along * Math.cos(angle), y + along * Math.sin(angle));
        expect(hit).toMatchObject({ place: 'classes', cls: span.cls });
      }
      const { chart } = scene.placement;
      const middle = chart.x + (chart.w * 50.5) / scene.sizes.dumps;
      expect(hitAt(scene, middle, chart.y + 3)).toMatchObject({ place: 'chart', dump: 50 });
      expect(hitAt(scene, middle, scene.axisY + 8)).toMatchObject({ place: 'axis', dump: 50 });
    }
  });

  it('there is nothing in the corners', () => {
    const scene = sceneOf();
    expect(hitAt(scene, 100, 20)).toBeNull();
    expect(hitAt(scene, scene.width - 4, scene.height - 4)).toBeNull();
  });
});
