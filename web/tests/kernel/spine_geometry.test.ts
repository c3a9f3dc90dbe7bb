import { describe, expect, it } from 'vitest';
import { layOutSpine } from '../../src/kernel/spine.ts';
import { ROW_FILL, rowRect, SPINE, spineHit } from '../../src/kernel/spine_geometry.ts';
import { example } from '../network_examples.ts';

const network = example('resnet50');
const spine = layOutSpine(network, 760);
const geometry = { ...SPINE, y: 60 };

describe('rowRect', () => {
  it('fills its share of the row, in its middle', () => {
    const row = spine.rows[4];
    const { x, y, w, h } = rowRect(row, geometry);
    expect(h).toBeCloseTo(row.h * ROW_FILL);
    expect(y + h / 2).toBeCloseTo(geometry.y + row.y + row.h / 2);
    expect([x, w]).toEqual([SPINE.x, SPINE.width]);
  });

  it('is narrower for a sum, and centred like the others', () => {
    const sum = spine.rows.find((row) => row.kind === 'add');
    if (!sum) throw new Error('no sum');
    const { x, w } = rowRect(sum, geometry);
    expect(w).toBeLessThan(SPINE.width / 2);
    expect(x + w / 2).toBeCloseTo(SPINE.x + SPINE.width / 2);
  });
});

describe('spineHit', () => {
  it('finds the row under every rectangle', () => {
    spine.rows.forEach((row, index) => {
      const { x, y, w, h } = rowRect(row, geometry);
      expect(spineHit(spine, x + w / 2, y + h / 2, geometry)).toEqual({ kind: 'row', row: index });
    });
  });

  it('finds the bar under every segment, and a little beside the outermost', () => {
    for (const bar of spine.bars) {
      const { x, width } = spine.columns[bar.column];
      const [top, bottom] = bar.segments[0];
      const at = geometry.y + (top + bottom) / 2;
      const hit = { kind: 'bar', node: bar.node };
      expect(spineHit(spine, SPINE.barsX + x + width / 2, at, geometry)).toEqual(hit);
      const isOutermost = bar.column === spine.columns.length - 1;
      if (isOutermost) expect(spineHit(spine, SPINE.barsX + x + width + 3, at, geometry)).toEqual(hit);
    }
  });

  it('finds nothing beyond', () => {
    expect(spineHit(spine, 5, 100, geometry)).toBeNull();
    expect(spineHit(spine, SPINE.barsX + spine.barsWidth + 20, 100, geometry)).toBeNull();
    expect(spineHit(spine, 60, geometry.y + spine.height + 30, geometry)).toBeNull();
    expect(spineHit(spine, 60, geometry.y - 1, geometry)).toBeNull();
  });
});
