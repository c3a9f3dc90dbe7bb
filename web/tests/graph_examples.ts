import { readFileSync } from 'node:fs';
import { boxesOf, shapeOf, type GraphLayout, type GraphShape } from '../src/kernel/graph_layout.ts';
import { networkOf, type Network } from '../src/kernel/network.ts';
import { layOutGraph } from '../src/views/layers/graph_dagre.ts';
import { randomNetwork } from './network_examples.ts';
import { seeded } from './random.ts';

/** Graphs to lay out, of real networks and random ones; each is laid out when it is first asked for. */
export class Example {
  readonly shape: GraphShape;
  #layout: GraphLayout | null = null;

  constructor(
    readonly name: string,
    readonly network: Network,
  ) {
    this.shape = shapeOf(network, boxesOf(network));
  }

  get layout(): GraphLayout {
    this.#layout ??= layOutGraph(this.shape);
    return this.#layout;
  }
}

const REAL = ['vgg', 'mobilenet', 'inception', 'resnet50', 'densenet121'] as const;

export function realNetwork(name: (typeof REAL)[number]): Network {
  return networkOf(JSON.parse(readFileSync(new URL(`networks/${name}.json`, import.meta.url), 'utf8')));
}

export function real(name: (typeof REAL)[number]): Example {
  return new Example(name, realNetwork(name));
}

export function realGraphs(): Example[] {
  return REAL.map(real);
}

export function randomGraphs(count: number): Example[] {
  const random = seeded(5);
  const networks = Array.from({ length: count }, () => randomNetwork(random));
  return networks
    .filter(({ graph }) => graph.nodes.length > 0)
    .map((network, i) => new Example(`random ${i}`, network));
}
