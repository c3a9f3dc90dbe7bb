import { describe, expect, it } from 'vitest';
import { THEMES } from '../../src/kernel/colour.ts';
import { layOutSpine } from '../../src/kernel/spine.ts';
import { rowRect, SPINE } from '../../src/kernel/spine_geometry.ts';
import { drawSpine, drawSpineBadges, drawSpineHighlight, type SpinePicture } from '../../src/marks/spine.ts';
import { example } from '../network_examples.ts';
import { RecordingSurface } from './recording_surface.ts';

const theme = THEMES.light;
const geometry = { ...SPINE, y: 50 };

function picture(name: 'resnet50' | 'densenet121', change: Partial<SpinePicture> = {}): SpinePicture {
  return {
    spine: layOutSpine(example(name), 760),
    geometry,
    fillOf: (row) => theme.nodes[row.kind],
    isPale: () => false,
    isShown: () => false,
    ...change,
  };
}

function drawn(of: SpinePicture): RecordingSurface {
  const surface = new RecordingSurface();
  drawSpine(surface, theme, of);
  return surface;
}

const ends = (points: readonly number[]) => [points[1], points[points.length - 1]];

describe('drawSpine', () => {
  it('draws a rectangle a row, a bar a segment, and every edge', () => {
    const of = picture('resnet50');
    const { rects, lines } = drawn(of);
    const segments = of.spine.bars.reduce((sum, bar) => sum + bar.segments.length, 0);
    expect(rects).toHaveLength(of.spine.rows.length + segments);
    expect(lines).toHaveLength(of.spine.straight.length + of.spine.arcs.length);
  });

  it('leads each arc from the middle of one row to the middle of the other, outside the rectangles', () => {
    const of = picture('resnet50');
    const { lines } = drawn(of);
    const middles = of.spine.arcs.map(({ from, to }) =>
      [from, to].map((row) => geometry.y + of.spine.rows[row].y + of.spine.rows[row].h / 2),
    );
    const found = lines.map(({ points }) => ends(points));
    for (const [y0, y1] of middles) {
      const near = found.some((y) => Math.abs(y[0] - y0) < 1e-6 && Math.abs(y[1] - y1) < 1e-6);
      expect(near).toBe(true);
    }
    const farthest = Math.min(...lines.flatMap(({ points }) => points.filter((_, i) => i % 2 === 0)));
    expect(farthest).toBeGreaterThanOrEqual(SPINE.arcsX - 1e-6);
    expect(farthest).toBeLessThan(SPINE.x - 10);
  });

  it('reaches every row of a bundled arc, without a line for each of hundreds', () => {
    const of = picture('densenet121');
    const { lines } = drawn(of);
    const bundled = of.spine.arcs.filter((arc) => arc.bundled);
    expect(bundled.length).toBeGreaterThan(100);
    const bus = lines.filter(({ style }) => style.alpha === 0.5);
    const reached = new Set(bus.flatMap(({ points }) => ends(points)).map((y) => y.toFixed(3)));
    for (const { from, to } of bundled) {
      for (const row of [from, to]) {
        const { y, h } = rowRect(of.spine.rows[row], geometry);
        expect(reached).toContain((y + h / 2).toFixed(3));
      }
    }
    expect(lines.length).toBeLessThan(of.spine.straight.length + of.spine.arcs.length);
  });

  it('pales the layers that are not meant, fills the bars that are shown', () => {
    const { nodes } = example('resnet50');
    const shown = nodes.findIndex((node) => node.name === 'layer2');
    const { rects } = drawn(picture('resnet50', { isPale: (layer) => layer !== 7, isShown: (n) => n === shown })); // prettier-ignore
    expect(rects.filter(({ style }) => (style.alpha ?? 1) < 1)).toHaveLength(53);
    expect(rects.filter(({ style }) => style.fill === theme.barOn)).toHaveLength(1);
  });

  it('outlines rectangles where it is asked to', () => {
    expect(drawn(picture('resnet50')).frames).toHaveLength(0);
    const of = picture('resnet50', { edge: theme.line });
    expect(drawn(of).frames).toHaveLength(of.spine.rows.length);
  });
});

describe('drawSpineBadges', () => {
  it('names counts at layers and modules, none where there is nothing', () => {
    const surface = new RecordingSurface();
    const badges = {
      badgeOfLayer: (layer: number) => (layer === 3 ? 12 : 0),
      badgeOfNode: (node: number) => (node === 2 ? 40 : 0),
    };
    drawSpineBadges(surface, theme, picture('resnet50', badges));
    expect(surface.texts.map(({ text }) => text)).toEqual(['12', '40']);
  });

  it('keeps the larger of two that would overlap', () => {
    const surface = new RecordingSurface();
    drawSpineBadges(surface, theme, picture('densenet121', { badgeOfLayer: (layer) => 500 - layer }));
    const placed = surface.texts.map(({ text, y }) => ({ count: Number(text), y }));
    expect(placed[0].count).toBe(500);
    const ys = placed.map(({ y }) => y).sort((a, b) => a - b);
    ys.slice(1).forEach((y, i) => expect(y - ys[i]).toBeGreaterThanOrEqual(11 - 1e-9));
  });
});

describe('drawSpineHighlight', () => {
  it('frames a row or all segments of a bar', () => {
    const { spine } = picture('resnet50');
    const surface = new RecordingSurface();
    drawSpineHighlight(surface, theme, spine, geometry, { kind: 'row', row: 3 });
    expect(surface.frames).toHaveLength(2);
    const rect = rowRect(spine.rows[3], geometry);
    expect(surface.frames[1].x).toBeLessThan(rect.x);
    drawSpineHighlight(surface, theme, spine, geometry, { kind: 'bar', node: 2 });
    expect(surface.frames.length).toBe(2 + 2 * (spine.barOf.get(2)?.segments.length ?? 0));
  });
});
