import { describe, expect, it } from 'vitest';
import { pinColour } from '../../src/kernel/colour.ts';
import { onStage, type Layout } from '../../src/kernel/cube_geometry.ts';
import { drawDynamic, type Dynamic } from '../../src/views/cube/draw_dynamic.ts';
import { drawFace } from '../../src/views/cube/draw_faces.ts';
import { drawSheet } from '../../src/views/cube/draw_sheet.ts';
import { drawStatic } from '../../src/views/cube/draw_static.ts';
import { NOTHING, type CubeHover } from '../../src/views/cube/hit.ts';
import { panelSize } from '../../src/views/cube/scene.ts';
import { sceneOf } from '../cube_scene.ts';
import { RecordingSurface } from '../marks/recording_surface.ts';

const STILL: Dynamic = { hover: null, brush: null, rubber: null, focus: null };
const LAYOUTS: readonly Layout[] = ['cube', 'flat', 'front', 'top', 'right'];

function moving(dynamic: Partial<Dynamic>, scene = sceneOf()): RecordingSurface {
  const surface = new RecordingSurface();
  drawDynamic(surface, scene, { ...STILL, ...dynamic });
  return surface;
}

const hover = (place: CubeHover['place'], some: Partial<CubeHover>) => ({ ...NOTHING, place, ...some });

describe('the picture that stays', () => {
  it('names every view that a layout shows, once', () => {
    const titles = {
      cube: ['Layer view', 'Validation view', 'Correlation view'],
      flat: ['Layer view', 'Validation view', 'Correlation view', 'Overall error'],
      front: ['Layer view', 'Correlation view'],
      top: ['Layers', 'Validation view', 'Correlation view'],
      right: ['Layers', 'Correlation view'],
    };
    for (const layout of LAYOUTS) {
      const surface = new RecordingSurface();
      drawStatic(surface, sceneOf({ layout }));
      const found = surface.texts
        .map(({ text }) => text)
        .filter((text) => /view$|^Layers$|^Overall/.test(text));
      expect(found.sort()).toEqual(titles[layout].sort());
    }
  });

  it('has a triangle for each anomaly iteration, or one for several that lie together', () => {
    const scene = sceneOf();
    const columns = scene.glyphs.flatMap((glyph) => glyph.columns).sort((a, b) => a - b);
    expect(columns).toEqual([...scene.model.table.columnDump.keys()]);
  });

  it('marks pinned mini-sets in their colours and with their numbers, at both ends of the row', () => {
    const { model } = sceneOf();
    const minis = [model.table.setId[5], model.table.setId[2]];
    const scene = sceneOf({ view: { minis } });
    const surface = new RecordingSurface();
    drawStatic(surface, scene);
    const numbers = surface.texts.filter(({ text }) => text === '1' || text === '2').map(({ text }) => text);
    expect(numbers).toEqual(['1', '1', '2', '2']);
    minis.forEach((id, place) => {
      const set = model.index.setOf(id) ?? -1;
      const rects = surface.polygons.filter(({ fill, points }) => {
        return fill.fill === pinColour(scene.theme, place) && points.length === 8;
      });
      expect(rects).toHaveLength(model.hitsOf(set).length);
    });
  });
});

describe('what follows the pointer', () => {
  it('is the mini-set in all classes, and the triangles where it appears', () => {
    const scene = sceneOf({ seed: 3 });
    const set = [...scene.model.sets].find((one) => scene.model.hitsOf(one).length > 4) ?? 0;
    const hits = scene.model.hitsOf(set);
    const surface = moving({ hover: hover('front', { set, layer: 0, dump: 3 }) }, scene);
    const lit = surface.polygons.filter(({ fill }) => fill.fill === scene.theme.highlight);
    const rects = lit.filter(({ points }) => points.length === 8);
    expect(rects).toHaveLength(hits.length);
    rects.forEach(({ points }, i) => {
      const [x, y] = onStage(
        scene.placement,
        'right',
        scene.sizes,
        scene.model.columnX(hits[i]),
        scene.model.setY[set] + scene.model.setHeight[set] / 2,
      );
      expect((points[0] + points[4]) / 2).toBeCloseTo(x, 6);
      expect((points[1] + points[5]) / 2).toBeCloseTo(y, 6);
    });
    const triangles = lit.filter(({ points }) => points.length === 6).length;
    const glyphs = scene.glyphs.filter(({ columns }) => columns.some((column) => hits.includes(column)));
    const halves = glyphs.map(({ glyph }) => Number(glyph.left > 0) + Number(glyph.right > 0));
    expect(triangles).toBe(halves.reduce((sum, n) => sum + n, 0));
  });

  it('is the class with its name at both ends of its stripe', () => {
    const scene = sceneOf();
    const { cls } = scene.model.classes[4];
    const surface = moving({ hover: hover('right', { cls }) }, scene);
    expect(surface.texts.filter(({ text }) => text === `class ${cls}`)).toHaveLength(2);
  });

  it('is the iteration on all that has iterations, and its number on the axis', () => {
    const lines = (layout: Layout) =>
      moving({ hover: hover('chart', { dump: 20 }) }, sceneOf({ layout })).texts.map(({ text }) => text);
    expect(lines('cube')).toEqual(['2,000']);
    // On both axes.
    expect(lines('flat')).toEqual(['2,000', '2,000']);
  });

  it('has a veil over what is not brushed, on front, top and overall error', () => {
    const scene = sceneOf();
    const surface = moving({ brush: [50, 100] }, scene);
    const veils = surface.polygons.filter(({ fill }) => fill.fill === scene.theme.veil);
    expect(veils).toHaveLength(4);
    const [x] = onStage(scene.placement, 'front', scene.sizes, 50, 0);
    expect(veils[0].points[2]).toBeCloseTo(x, 6);
    expect(surface.rects.filter(({ style }) => style.fill === scene.theme.veil)).toHaveLength(2);
  });

  it('is drawn for every layout, also midway, and where nothing was found', () => {
    const everything = { hover: hover('right', { set: 0, cls: 1, column: 0, dump: 3, layer: 0 }) };
    for (const layout of LAYOUTS) {
      for (const to of LAYOUTS) {
        const surface = moving({ ...everything, focus: 'right' }, sceneOf({ layout, to: [to, 0.4] }));
        expect(surface.lines.length).toBeGreaterThan(0);
      }
    }
    const empty = sceneOf({ shape: { classes: 0 } });
    expect(empty.model.classes).toHaveLength(0);
    const surface = new RecordingSurface();
    drawSheet(surface, empty, STILL);
    expect(surface.texts.map(({ text }) => text)).toContain('Correlation view');
  });
});

describe('a face', () => {
  it('covers its rectangle with one picture', () => {
    const scene = sceneOf();
    for (const face of ['front', 'top', 'right'] as const) {
      const surface = new RecordingSurface();
      drawFace(surface, scene, face, 300, 200);
      expect(surface.rasters.map(({ x, y, w, h }) => [x, y, w, h])).toEqual([[0, 0, 300, 200]]);
      const { pixels } = surface.rasters[0];
      expect([pixels.width, pixels.height]).toEqual([300, 200]);
    }
  });

  it('has grey rows where its rows have not come', () => {
    const scene = { ...sceneOf(), rows: null };
    const surface = new RecordingSurface();
    drawFace(surface, scene, 'front', 300, 200);
    expect(surface.rasters).toHaveLength(0);
    const grey = surface.rects.filter(({ style }) => style.fill === scene.theme.skeleton);
    expect(grey).toHaveLength(scene.model.layers.length);
  });

  it('shows of a live run what is known, at the left', () => {
    const scene = { ...sceneOf(), zoom: [0, 400] as const };
    const surface = new RecordingSurface();
    drawFace(surface, scene, 'front', 300, 200);
    expect(surface.rasters[0].w).toBe(150);
    expect(surface.rects.some(({ style }) => style.fill === scene.theme.skeleton)).toBe(true);
  });
});

describe('the exported picture', () => {
  it('lays the faces down under the matrices of the screen', () => {
    const scene = sceneOf();
    const surface = new RecordingSurface();
    drawSheet(surface, scene, STILL);
    expect(surface.transforms).toHaveLength(3);
    const [w, h] = panelSize(scene.placement, 'front');
    const { a, d, e, f } = surface.transforms[0];
    const { matrix } = scene.placement.faces.front;
    expect([a * w, d * h, e, f].map((v) => Math.round(v * 1e6))).toEqual(
      [matrix.a, matrix.d, matrix.e, matrix.f].map((v) => Math.round(v * 1e6)),
    );
  });
});
