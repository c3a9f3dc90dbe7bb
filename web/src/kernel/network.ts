/**
 * How is the network built? Its weighted layers, the hierarchy of modules above them, and the graph that data flow along.
 *
 * The hierarchy travels flattened in preorder, parents before their children, root first; here every node learns its
 * children and the layers below it. A node of the hierarchy is named by its index, a layer by its place in data order.
 */
export type NodeKind = 'data' | 'conv' | 'pool' | 'add' | 'concat' | 'linear';

export interface GraphNode {
  readonly id: number;
  readonly kind: NodeKind;
  readonly label: string;
  readonly layer: number | null;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly (readonly [number, number])[];
}

export interface LayerAnswer {
  readonly name: string;
  readonly kind: string;
  readonly shape: readonly number[];
  readonly filters: number;
  readonly fan_in: number;
  readonly offset: number;
  readonly places: readonly string[];
}

/** What `/api/network` answers. */
export interface NetworkAnswer {
  readonly layers: readonly LayerAnswer[];
  readonly nodes: readonly {
    readonly name: string;
    readonly parent: number;
    readonly layer: number | null;
  }[];
  readonly graph: Graph;
  readonly source: string;
  readonly filter_measures: readonly string[];
  readonly node_measures: readonly string[];
  readonly kernel_layer: number | null;
}

export interface NetLayer {
  readonly name: string;
  readonly kind: string;
  readonly shape: readonly number[];
  readonly filters: number;
  readonly fanIn: number;
  /** Its first filter among all filters of the network. */
  readonly offset: number;
  readonly places: readonly string[];
}

export interface NetNode {
  readonly index: number;
  readonly name: string;
  /** The name without that of its parent: `0.conv1` below `layer1`. */
  readonly short: string;
  /** -1 for the root. */
  readonly parent: number;
  readonly children: readonly number[];
  /** 0 for the root. */
  readonly depth: number;
  readonly layer: number | null;
  /** Layers at or below it, ascending. */
  readonly layers: readonly number[];
}

export interface Network {
  readonly layers: readonly NetLayer[];
  readonly nodes: readonly NetNode[];
  readonly graph: Graph;
  readonly source: string;
  readonly filterMeasures: readonly string[];
  readonly nodeMeasures: readonly string[];
  readonly kernelLayer: number | null;
  readonly filters: number;
  /** The leaf of each layer. */
  readonly nodeOfLayer: Int32Array;
}

export function networkOf(answer: NetworkAnswer): Network {
  const nodes = nodesOf(answer.nodes);
  const nodeOfLayer = new Int32Array(answer.layers.length).fill(-1);
  for (const node of nodes) if (node.layer !== null) nodeOfLayer[node.layer] = node.index;
  return {
    layers: answer.layers.map(({ fan_in, ...layer }) => ({ ...layer, fanIn: fan_in })),
    nodes,
    graph: answer.graph,
    source: answer.source,
    filterMeasures: answer.filter_measures,
    nodeMeasures: answer.node_measures,
    kernelLayer: answer.kernel_layer,
    filters: answer.layers.reduce((sum, layer) => sum + layer.filters, 0),
    nodeOfLayer,
  };
}

function nodesOf(answer: NetworkAnswer['nodes']): NetNode[] {
  const children = answer.map((): number[] => []);
  const layers = answer.map(({ layer }): number[] => (layer === null ? [] : [layer]));
  const depth = new Int32Array(answer.length);
  answer.forEach(({ parent }, index) => {
    if (parent < 0) return;
    children[parent].push(index);
    depth[index] = depth[parent] + 1;
  });
  for (let index = answer.length - 1; index > 0; index--) layers[answer[index].parent].push(...layers[index]);
  return answer.map(({ name, parent, layer }, index) => ({
    index,
    name,
    short: shortName(name, parent < 0 ? '' : answer[parent].name),
    parent,
    children: children[index],
    depth: depth[index],
    layer,
    layers: layers[index].sort((a, b) => a - b),
  }));
}

/** A module with a weight of its own beside its children lends this its name: then there is nothing to take off. */
function shortName(name: string, parent: string): string {
  return parent !== '' && name.startsWith(`${parent}.`) ? name.slice(parent.length + 1) : name;
}

export type Level = 'module' | 'block' | 'layer';

export function levelOf(network: Network, node: number): Level {
  const { depth, children } = network.nodes[node];
  if (depth <= 1) return 'module';
  return children.length === 0 ? 'layer' : 'block';
}

const FEWEST_SHOWN = 4;

/**
 * What is shown first: the modules. Where a single one of a few holds most layers it says nothing about them, so its
 * children take its place (DenseNet: `features` gives way to its dense blocks).
 */
export function defaultShown(network: Network): number[] {
  const { nodes } = network;
  let shown = nodes[0].children.length > 0 ? [...nodes[0].children] : [0];
  while (shown.length < FEWEST_SHOWN) {
    const whole = shown.find(
      (node) => nodes[node].children.length > 0 && nodes[node].layers.length > network.layers.length / 2,
    );
    if (whole === undefined) break;
    shown = shown.flatMap((node) => (node === whole ? nodes[whole].children : [node]));
  }
  return shown;
}

/** All of a node's layers are among these; of none, everything is. */
export function isWithin(network: Network, node: number, layers: ReadonlySet<number>): boolean {
  return layers.size === 0 || network.nodes[node].layers.every((layer) => layers.has(layer));
}

/** What is shown first where only some layers are looked at: these. */
export function shownWithin(network: Network, layers: ReadonlySet<number>): number[] {
  const known = [...layers].filter((layer) => layer < network.layers.length);
  return known.length > 0 ? known.map((layer) => network.nodeOfLayer[layer]) : defaultShown(network);
}

/** All children of its parent, itself among them. */
export function siblingsOf(network: Network, node: number): readonly number[] {
  const { parent } = network.nodes[node];
  return parent < 0 ? [node] : network.nodes[parent].children;
}

/** All nodes below it, in preorder. */
export function descendantsOf(network: Network, node: number): number[] {
  return network.nodes[node].children.flatMap((child) => [child, ...descendantsOf(network, child)]);
}
