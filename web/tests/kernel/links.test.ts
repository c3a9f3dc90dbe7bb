import { describe, expect, it } from 'vitest';
import { linkCurve, placeLinks, separateAnchors } from '../../src/kernel/links.ts';
import { chartOrder, layOutSpine } from '../../src/kernel/spine.ts';
import { SPINE } from '../../src/kernel/spine_geometry.ts';
import { example } from '../network_examples.ts';
import { integer, seeded } from '../random.ts';

const squares = (a: ArrayLike<number>, b: readonly number[]) =>
  b.reduce((sum, value, i) => sum + (a[i] - value) ** 2, 0);

describe('separateAnchors', () => {
  it('leaves alone what is far enough apart', () => {
    expect([...separateAnchors([1, 5, 20], 3)]).toEqual([1, 5, 20]);
    expect([...separateAnchors([], 3)]).toEqual([]);
  });

  it('spreads equal ones evenly around where they want to be', () => {
    expect([...separateAnchors([10, 10, 10], 4)]).toEqual([6, 10, 14]);
  });

  it('keeps the gap and the order, and no random attempt that does so comes nearer', () => {
    const random = seeded(4);
    for (let round = 0; round < 200; round++) {
      const wanted = Array.from({ length: 1 + integer(random, 9) }, () => random() * 40);
      const gap = random() * 6;
      const placed = separateAnchors(wanted, gap);
      for (let i = 1; i < placed.length; i++) expect(placed[i] - placed[i - 1]).toBeGreaterThan(gap - 1e-9);
      const best = squares(placed, wanted);
      for (let attempt = 0; attempt < 40; attempt++) {
        const other = [...placed];
        let y = placed[0] + (random() - 0.5) * 4;
        for (let i = 0; i < other.length; i++) {
          other[i] = Math.max(y, placed[i] + (random() - 0.5) * 4);
          y = other[i] + gap;
        }
        expect(squares(other, wanted)).toBeGreaterThanOrEqual(best - 1e-6);
      }
    }
  });

  it('stays within its bounds where there is room, and at the first where there is none', () => {
    expect([...separateAnchors([-5, -5, 3], 2, 0, 10)]).toEqual([0, 2, 4]);
    expect([...separateAnchors([9, 9, 9], 2, 0, 10)]).toEqual([6, 8, 10]);
    expect([...separateAnchors([1, 1, 1], 8, 0, 10)]).toEqual([0, 8, 16]);
  });
});

describe('linkCurve', () => {
  it('begins and ends where it should, level', () => {
    const points = linkCurve(10, 20, 110, 220, 40);
    expect([points[0], points[1]]).toEqual([10, 20]);
    expect([...points.slice(-2)]).toEqual([110, 220]);
    expect(points[3] - points[1]).toBeLessThan((points[2] - points[0]) * 0.2);
  });

  it('never turns back', () => {
    const points = linkCurve(0, 0, 50, 80, 64);
    for (let i = 2; i < points.length; i += 2) expect(points[i]).toBeGreaterThan(points[i - 2]);
  });

  it('never crosses another one whose ends are in the same order', () => {
    const random = seeded(9);
    for (let round = 0; round < 200; round++) {
      const count = 2 + integer(random, 12);
      const ascending = () => Array.from({ length: count }, () => random() * 700).sort((a, b) => a - b);
      const begins = separateAnchors(ascending(), 0.5);
      const ends = separateAnchors(ascending(), 0.5);
      const curves = Array.from({ length: count }, (_, i) => linkCurve(150, begins[i], 330, ends[i], 30));
      for (let i = 1; i < count; i++) {
        const [above, below] = [curves[i - 1], curves[i]];
        const steps = Array.from({ length: 31 }, (_, step) => 2 * step);
        expect(steps.every((at) => below[at] === above[at])).toBe(true);
        expect(steps.every((at) => below[at + 1] > above[at + 1])).toBe(true);
      }
    }
  });
});

describe('placeLinks', () => {
  const network = example('resnet50');
  const spine = layOutSpine(network, 760);
  const geometry = { ...SPINE, y: 60 };
  const nodes = chartOrder(
    spine,
    network.nodes.slice(1, 12).map((node) => node.index),
  );
  const ends = nodes.map((_, i) => 80 + 40 * i);

  it('leads from each bar to its chart, apart from each other', () => {
    const links = placeLinks(spine, geometry, nodes, ends, 60, 820, 3);
    links.forEach((link, i) => {
      expect(link).toMatchObject({ node: nodes[i], y1: ends[i] });
      expect(link.barY).toBeCloseTo(geometry.y + spine.anchorOf(link.node));
      if (i > 0) expect(link.y0 - links[i - 1].y0).toBeGreaterThan(3 - 1e-9);
    });
    const layer = links.find((link) => network.nodes[link.node].name === 'layer1.0.conv1');
    expect(layer?.barX).toBe(SPINE.barsX + 7);
  });

  it('leaves at the edge of the screen where the bar is scrolled away', () => {
    const links = placeLinks(spine, { ...SPINE, y: -400 }, nodes, ends, 60, 820, 3);
    for (const link of links) expect(link.barY).toBe(60);
    expect(links[0].y0).toBe(60);
  });
});
