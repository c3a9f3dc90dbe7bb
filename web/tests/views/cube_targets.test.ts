import { describe, expect, it } from 'vitest';
import { NOTHING, type CubeHover } from '../../src/views/cube/hit.ts';
import { targetOf, touched } from '../../src/views/cube/targets.ts';
import { sceneOf } from '../cube_scene.ts';

const { model, iterations } = sceneOf();
const stage = { model, run: { iterations } } as unknown as Parameters<typeof targetOf>[0];
const hover = (place: CubeHover['place'], some: Partial<CubeHover>) => ({ ...NOTHING, place, ...some });

describe('a click', () => {
  it('on a row of front or right means its mini-set', () => {
    const minis = [model.table.setId[3]];
    for (const place of ['front', 'right'] as const) {
      const target = targetOf(stage, hover(place, { set: 3, dump: 7, cls: 4, layer: 0 }));
      expect(target).toEqual({ minis, classes: [], iterations: [] });
    }
  });

  it('on a row that is a layer means the iteration on the front, the class on the right', () => {
    const iteration = iterations[7];
    expect(targetOf(stage, hover('front', { layer: 0, dump: 7 }))).toMatchObject({ iterations: [iteration] });
    expect(targetOf(stage, hover('right', { layer: 0, cls: 4 }))).toMatchObject({
      classes: [4],
      iterations: [],
    });
  });

  it('on a stripe means its class, on a triangle its iteration as well', () => {
    expect(targetOf(stage, hover('top', { cls: 4, dump: 7 }))).toMatchObject({
      classes: [4],
      iterations: [],
    });
    const triangle = hover('top', { cls: 4, dump: 7, column: 1, isHit: true });
    expect(targetOf(stage, triangle)).toMatchObject({ classes: [4], iterations: [700] });
    expect(targetOf(stage, hover('classes', { cls: 4 }))).toMatchObject({ classes: [4] });
  });

  it('on the overall error means the iteration, on nothing nothing', () => {
    expect(targetOf(stage, hover('chart', { dump: 7 }))).toMatchObject({ classes: [], iterations: [700] });
    expect(targetOf(stage, hover('right', {}))).toBeNull();
  });
});

describe('a rectangle', () => {
  it('selects what it touches, drawn from any corner', () => {
    const [one, two] = [model.classes[1], model.classes[3]];
    const [up, down] = [model.layers[1], model.layers[2]];
    const rubber = { x0: two.x + 1, y0: down.y + 1, x1: one.x + one.width - 1, y1: up.y + up.height - 0.5 };
    expect(touched(model, rubber)).toEqual({
      classes: model.classes.slice(1, 4).map(({ cls }) => cls),
      layers: [up.layer, down.layer],
    });
  });

  it('that touches all of them restricts nothing', () => {
    const whole = { x0: 0, y0: 0, x1: model.width, y1: model.height };
    expect(touched(model, whole)).toEqual({ classes: null, layers: null });
    const { classes, layers } = touched(model, { ...whole, x1: 5 });
    expect([classes?.length, layers]).toEqual([1, null]);
  });
});
