import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  largestTopOf,
  layerRowAt,
  layerRowsBetween,
  layOutLayers,
  ROW_GAP,
  ROW_HEIGHT,
} from '../../src/kernel/layer_layout.ts';
import { defaultShown, networkOf, type NetworkAnswer } from '../../src/kernel/network.ts';

const resnet = networkOf(
  JSON.parse(readFileSync(new URL('../networks/resnet50.json', import.meta.url), 'utf8')) as NetworkAnswer,
);
const nodes = defaultShown(resnet);
const node = (name: string) => resnet.nodes.findIndex((n) => n.name === name);

function laidOut(change: Partial<Parameters<typeof layOutLayers>[0]> = {}) {
  return layOutLayers({
    network: resnet,
    nodes,
    isUnfolded: () => false,
    filterHeight: 0,
    height: 300,
    ...change,
  });
}

describe('layOutLayers', () => {
  it('puts one chart below the other without overlap', () => {
    const { rows, height } = laidOut();
    expect(rows.map((row) => row.node)).toEqual(nodes);
    rows.slice(1).forEach((row, i) => expect(row.y).toBe(rows[i].y + rows[i].h + ROW_GAP));
    const last = rows[rows.length - 1];
    expect(height).toBe(last.y + last.h + ROW_GAP);
  });

  it('makes modules higher than blocks and blocks higher than layers', () => {
    const shown = ['layer1', 'layer1.0', 'layer1.0.conv1'].map(node);
    const { rows } = laidOut({ nodes: shown, height: 0 });
    expect(rows.map((row) => row.level)).toEqual(['module', 'block', 'layer']);
    expect(rows.map((row) => row.h)).toEqual([ROW_HEIGHT.module, ROW_HEIGHT.block, ROW_HEIGHT.layer]);
  });

  it('lets charts grow into free room, but not without end', () => {
    const heights = [300, 600, 5000].map((height) => laidOut({ height }).rows[0].h);
    expect(heights[0]).toBe(ROW_HEIGHT.module);
    expect(heights[1]).toBeGreaterThan(ROW_HEIGHT.module);
    expect(heights[2]).toBe(Math.floor(ROW_HEIGHT.module * 2.2));
  });

  it('fits all filters of an unfolded layer, or scrolls them at the chosen height', () => {
    const fc = resnet.layers.length - 1;
    const shown = [resnet.nodeOfLayer[fc]];
    const unfolded = { nodes: shown, isUnfolded: () => true, height: 800 };
    const [fitted] = laidOut(unfolded).rows;
    expect(fitted).toMatchObject({ kind: 'filters', layer: fc, filters: 1000 });
    if (fitted.kind !== 'filters') throw new Error('not unfolded');
    expect(fitted.rowHeight * 1000).toBeCloseTo(fitted.h);
    expect(largestTopOf(fitted)).toBe(0);
    const [scrolled] = laidOut({ ...unfolded, filterHeight: 4 }).rows;
    if (scrolled.kind !== 'filters') throw new Error('not unfolded');
    expect(scrolled.h).toBe(fitted.h);
    expect(largestTopOf(scrolled)).toBeCloseTo(1000 - scrolled.h / 4);
  });

  it('gives few filters no less room than they need to be told apart', () => {
    const conv1 = [resnet.nodeOfLayer[0]];
    const [row] = laidOut({ nodes: conv1, isUnfolded: () => true, height: 800 }).rows;
    expect(row.h).toBe(64 * 3);
  });
});

describe('finding rows', () => {
  const layout = laidOut();

  it('names the row at a height, and none in a gap', () => {
    const [first, second] = layout.rows;
    expect(layerRowAt(layout, first.h - 1)).toBe(first);
    expect(layerRowAt(layout, first.h + 1)).toBeNull();
    expect(layerRowAt(layout, second.y)).toBe(second);
  });

  it('names the rows that reach into a span', () => {
    const [, second, third] = layout.rows;
    expect(layerRowsBetween(layout, second.y + 1, third.y + 1)).toEqual([second, third]);
  });
});
