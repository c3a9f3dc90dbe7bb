import { describe, expect, it } from 'vitest';
import { networkOf, type Network } from '../../src/kernel/network.ts';
import { chartOrder, layOutSpine, MOST_LANES, squeezed, type Spine } from '../../src/kernel/spine.ts';
import { answerOf, example, graphOf, NO_GRAPH, randomNetwork } from '../network_examples.ts';
import { seeded } from '../random.ts';

const HEIGHT = 760;

function everyNetwork(): Network[] {
  const random = seeded(11);
  return [
    example('resnet50'),
    example('densenet121'),
    ...Array.from({ length: 150 }, () => randomNetwork(random)),
  ];
}

const pairs = (edges: readonly (readonly [number, number])[]) => edges.map((edge) => edge.join('-')).sort();

describe('layOutSpine, for real and for random networks', () => {
  const all = everyNetwork().map((network) => ({ network, spine: layOutSpine(network, HEIGHT) }));

  it('draws every edge once: straight between neighbours, else as an arc', () => {
    for (const { network, spine } of all) {
      const { nodes, edges } = network.graph;
      if (nodes.length === 0) continue;
      const arcs = spine.arcs.map(({ from, to }) => [from, to] as const);
      expect(pairs([...spine.straight, ...arcs])).toEqual(pairs(edges));
      for (const [from, to] of spine.straight) expect(to).toBe(from + 1);
      for (const [from, to] of arcs) expect(to).toBeGreaterThan(from + 1);
    }
  });

  it('never lets two arcs of a lane overlap, unless they are bundled in the outermost', () => {
    for (const { spine } of all) {
      for (const a of spine.arcs) {
        expect(a.lane).toBeLessThan(Math.min(MOST_LANES, spine.lanes));
        if (a.bundled) {
          expect(a.lane).toBe(MOST_LANES - 1);
          continue;
        }
        for (const b of spine.arcs) {
          if (a === b || b.bundled || a.lane !== b.lane) continue;
          expect(a.to <= b.from || b.to <= a.from).toBe(true);
        }
      }
    }
  });

  it('puts an arc that lies within another one further inside', () => {
    for (const { spine } of all) {
      const own = spine.arcs.filter((arc) => !arc.bundled);
      for (const inner of own) {
        for (const outer of own) {
          if (inner !== outer && outer.from <= inner.from && inner.to <= outer.to)
            expect(inner.lane).toBeLessThan(outer.lane);
        }
      }
    }
  });

  it('gives every node and every layer one row, without gaps, inside the height', () => {
    for (const { network, spine } of all) {
      const layers = spine.rows.flatMap((row) => row.layer ?? []);
      expect(layers.sort((a, b) => a - b)).toEqual(network.layers.map((_, i) => i));
      let y = 0;
      for (const row of spine.rows) {
        expect(row.y).toBeCloseTo(y, 6);
        y += row.h;
      }
      expect(y).toBeCloseTo(spine.height, 6);
      expect(spine.height).toBeLessThanOrEqual(HEIGHT + 1e-6);
    }
  });

  it('covers with the segments of a bar all rows of its layers, and none of other layers', () => {
    for (const { network, spine } of all) {
      const weighted = spine.rows.filter((row) => row.layer !== null);
      for (const bar of spine.bars) {
        const covered = weighted.filter(({ y, h }) =>
          bar.segments.some(([top, bottom]) => y + h / 2 > top && y + h / 2 < bottom),
        );
        const layers = covered.flatMap((row) => row.layer ?? []).sort((a, b) => a - b);
        expect(layers).toEqual(network.nodes[bar.node].layers);
      }
      expect(spine.bars).toHaveLength(network.nodes.length - 1);
    }
  });

  it('orders charts so that their anchors never turn round', () => {
    for (const { network, spine } of all) {
      const order = chartOrder(
        spine,
        network.nodes.slice(1).map((node) => node.index),
      );
      const anchors = order.map((node) => spine.anchorOf(node));
      anchors.slice(1).forEach((anchor, i) => expect(anchor).toBeGreaterThanOrEqual(anchors[i] - 1e-9));
    }
  });
});

describe('rows', () => {
  const chain = (layers: number) => {
    const names = Array.from({ length: layers }, (_, i) => `l${i}`);
    return networkOf(answerOf(names, NO_GRAPH));
  };

  it('fill the height, but are no taller than 16 pixels', () => {
    expect(layOutSpine(chain(100), HEIGHT).height).toBeCloseTo(HEIGHT);
    expect(layOutSpine(chain(5), HEIGHT).height).toBe(80);
  });

  it('are never thinner than 3.2 pixels: then the spine is taller than the screen', () => {
    expect(layOutSpine(chain(1000), HEIGHT).height).toBeCloseTo(3200);
  });

  it('are lower where nothing is weighted but only joined', () => {
    const { rows } = layOutSpine(example('resnet50'), HEIGHT);
    const of = (kind: string) => rows.find((row) => row.kind === kind)?.h ?? 0;
    expect(of('add')).toBeCloseTo(0.6 * of('conv'));
    expect(of('pool')).toBeCloseTo(of('conv'));
  });

  it('are a chain of layers where no graph is known', () => {
    const spine = layOutSpine(chain(4), HEIGHT);
    expect(spine.rows.map((row) => row.layer)).toEqual([0, 1, 2, 3]);
    expect(spine.straight).toHaveLength(3);
    expect(spine.arcs).toEqual([]);
  });

  it('are there for layers that the graph does not know', () => {
    const names = ['a', 'b', 'c'];
    const network = networkOf(answerOf(names, graphOf(['(data)', 'a', 'c'], names, [[0, 1], [1, 2]]))); // prettier-ignore
    const spine = layOutSpine(network, HEIGHT);
    expect(spine.rows.map((row) => row.label)).toEqual(['(data)', 'a', 'c', 'b']);
    expect(spine.rows[3]).toMatchObject({ graphNode: -1, layer: 1, kind: 'conv' });
    expect(spine.straight).toEqual([[0, 1], [1, 2]]); // prettier-ignore
  });
});

describe('level bars', () => {
  const names = ['m.a', 'n.x', 'm.b', 'm.c'];
  const network = networkOf(answerOf(names, graphOf(['m.a', 'n.x', 'm.b', '(add)', 'm.c'], names, [])));
  const spine: Spine = layOutSpine(network, HEIGHT);
  const bar = (name: string) => {
    const found = spine.bars.find((one) => network.nodes[one.node].name === name);
    if (!found) throw new Error(`no bar ${name}`);
    return found;
  };

  it('break where layers of others lie between, not where something without weights does', () => {
    expect(bar('m').segments).toHaveLength(2);
    const [, [top, bottom]] = bar('m').segments;
    expect(top).toBeGreaterThan(spine.rows[2].y);
    expect(bottom).toBeGreaterThan(spine.rows[4].y);
  });

  it('leave a gap to their neighbours', () => {
    const [, end] = bar('m.b').segments[0];
    const [begin] = bar('m.c').segments[0];
    expect(begin - end).toBeGreaterThanOrEqual(1.4);
  });

  it('stand in columns, the modules outermost and widest', () => {
    expect(bar('m').column).toBe(1);
    expect(bar('m.a').column).toBe(0);
    expect(spine.columns.map((column) => column.width)).toEqual([7, 11]);
    expect(spine.barsWidth).toBe(20);
    const deep = layOutSpine(networkOf(answerOf(['a.b.c.d.e.f', 'a.b.c.d.e.g'], NO_GRAPH)), HEIGHT);
    expect(deep.columns.map((column) => column.width)).toEqual([5, 5, 5, 5, 5, 5]);
    const shallow = layOutSpine(networkOf(answerOf(['a.b.c', 'd'], NO_GRAPH)), HEIGHT);
    expect(shallow.columns.map((column) => column.width)).toEqual([7, 9, 11]);
  });

  it('hold a link in the middle of a layer, and near the top of a module', () => {
    const { anchorOf, rows } = spine;
    expect(anchorOf(bar('m.b').node)).toBeCloseTo(rows[2].y + rows[2].h / 2);
    expect(anchorOf(bar('m').node)).toBeCloseTo(rows[0].y + rows[0].h / 4);
  });
});

describe('chartOrder', () => {
  it('goes by first row, then from the outside in', () => {
    const network = example('resnet50');
    const spine = layOutSpine(network, HEIGHT);
    const find = (name: string) => network.nodes.findIndex((node) => node.name === name);
    const wanted = ['conv1', 'layer1', 'layer1.0', 'layer1.0.conv1', 'layer1.1', 'layer2', 'fc'];
    const random = seeded(3);
    const shuffled = wanted.map(find).sort(() => random() - 0.5);
    expect(chartOrder(spine, shuffled).map((node) => network.nodes[node].name)).toEqual(wanted);
  });
});

describe('squeezed', () => {
  it('makes a spine as low as it has to be, all parts alike', () => {
    const spine = layOutSpine(example('densenet121'), 300);
    const low = squeezed(spine, 300);
    expect(spine.height).toBeGreaterThan(500);
    const last = low.rows[low.rows.length - 1];
    expect(last.y + last.h).toBeCloseTo(300, 6);
    const scale = 300 / spine.height;
    spine.bars.forEach((bar, i) => {
      bar.segments.flat().forEach((y, j) => expect(low.bars[i].segments.flat()[j]).toBeCloseTo(y * scale, 6));
      expect(low.anchorOf(bar.node)).toBeCloseTo(spine.anchorOf(bar.node) * scale, 9);
    });
  });

  it('leaves one alone that fits', () => {
    const spine = layOutSpine(example('resnet50'), HEIGHT);
    expect(squeezed(spine, HEIGHT)).toBe(spine);
  });
});
