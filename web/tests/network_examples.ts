import { readFileSync } from 'node:fs';
import type { Graph, Network, NetworkAnswer, NodeKind } from '../src/kernel/network.ts';
import { networkOf } from '../src/kernel/network.ts';
import { integer } from './random.ts';

/** Networks as `/api/network` tells them: real ones, small ones by hand, and random ones. */
export function example(name: 'resnet50' | 'densenet121'): Network {
  return networkOf(JSON.parse(readFileSync(new URL(`networks/${name}.json`, import.meta.url), 'utf8')));
}

/** Layers by their names, in data order, and the graph between them; a module for every part of a name. */
export function answerOf(layerNames: readonly string[], graph: Graph): NetworkAnswer {
  const nodes: { name: string; parent: number; layer: number | null }[] = [
    { name: '', parent: -1, layer: null },
  ];
  const add = (name: string, parent: number, layer: number | null) => nodes.push({ name, parent, layer }) - 1;
  const walk = (below: readonly string[], parent: number, prefix: string) => {
    const parts = new Set(below.map((name) => name.slice(prefix.length).split('.')[0]));
    for (const part of parts) {
      const name = prefix + part;
      const inside = below.filter((other) => other.startsWith(`${name}.`));
      const own = below.includes(name) ? layerNames.indexOf(name) : null;
      const index = add(name, parent, inside.length > 0 ? null : own);
      if (inside.length > 0) walk(inside, index, `${name}.`);
    }
  };
  walk(layerNames, 0, '');
  return {
    layers: layerNames.map((name, i) => ({
      name,
      kind: 'conv2d',
      shape: [4, 3, 3, 3],
      filters: 4,
      fan_in: 27,
      offset: 4 * i,
      places: [name],
    })),
    nodes,
    graph,
    source: 'made by hand',
    filter_measures: ['change', 'mean'],
    node_measures: ['change', 'mean', 'weight_median'],
    kernel_layer: 0,
  };
}

export const NO_GRAPH: Graph = { nodes: [], edges: [] };

/** A graph of rows: a name is a layer, a kind of node in brackets stands for what has no weights. */
export function graphOf(
  rows: readonly string[],
  layerNames: readonly string[],
  edges: readonly (readonly [number, number])[],
): Graph {
  return {
    nodes: rows.map((row, id) => {
      const kind = /^\((.*)\)$/.exec(row)?.[1] as NodeKind | undefined;
      const layer = kind ? null : layerNames.indexOf(row);
      return { id, kind: kind ?? 'conv', label: row, layer };
    }),
    edges,
  };
}

const JOINTS: readonly NodeKind[] = ['add', 'concat', 'pool'];

/** Any acyclic graph, some layers outside it, modules of any depth whose layers do not lie together. */
export function randomNetwork(random: () => number): Network {
  const names = Array.from({ length: 1 + integer(random, 30) }, (_, i) =>
    [...Array.from({ length: integer(random, 4) }, () => `m${integer(random, 3)}`), `l${i}`].join('.'),
  );
  const rows = ['(data)'];
  for (const name of names) {
    if (random() < 0.3) rows.push(`(${JOINTS[integer(random, JOINTS.length)]})`);
    if (random() < 0.9) rows.push(name);
  }
  const density = random() ** 2;
  const edges: [number, number][] = [];
  for (let from = 0; from < rows.length; from++) {
    for (let to = from + 1; to < rows.length; to++) if (random() < density) edges.push([from, to]);
  }
  return networkOf(answerOf(names, random() < 0.1 ? NO_GRAPH : graphOf(rows, names, edges)));
}
