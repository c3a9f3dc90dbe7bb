import type { GraphShape } from './graph_layout.ts';

/**
 * How is a node drawn that reads what many others made, when further nodes read the same and more? In a DenseNet every
 * layer reads all before it: drawn one by one, 719 edges are a grey area. Here they become 300, and nothing is lost.
 *
 * 1. The inputs of every node are a set. A set that several nodes read, or that is part of a larger one, gets a joint:
 *    a point to which its inputs lead and from which its readers take them.
 * 2. A set takes over the joint of the largest set inside it, and adds the rest: DenseNet's third layer reads what the
 *    second one read, and the second.
 * 3. So a path from a node to another that leads through joints only is exactly one edge of the graph.
 */
export interface JoinedGraph {
  readonly joints: number;
  /** Between nodes and, numbered from `shape.sizes.length` on, joints. */
  readonly edges: readonly (readonly [number, number])[];
}

interface InputSet {
  readonly inputs: readonly number[];
  readonly readers: number[];
  /** The largest set inside it. */
  part: InputSet | null;
  isPart: boolean;
  joint: number;
}

const FEWEST_INPUTS = 2;

export function joinInputs({ sizes, edges }: GraphShape): JoinedGraph {
  const inputs = sizes.map((): number[] => []);
  for (const [from, to] of edges) inputs[to].push(from);
  const sets = inputSets(inputs);
  for (const set of sets) {
    set.part = largestPart(set, sets);
    if (set.part) set.part.isPart = true;
  }
  const joined: (readonly [number, number])[] = [];
  inputs.forEach((from, to) => {
    if (from.length < FEWEST_INPUTS) joined.push(...from.map((node) => [node, to] as const));
  });
  let next = sizes.length;
  for (const set of sets) if (set.isPart || set.readers.length > 1) set.joint = next++;
  for (const set of sets) joined.push(...edgesOf(set));
  return { joints: next - sizes.length, edges: joined };
}

function inputSets(inputs: readonly (readonly number[])[]): InputSet[] {
  const sets = new Map<string, InputSet>();
  inputs.forEach((from, reader) => {
    if (from.length < FEWEST_INPUTS) return;
    const sorted = [...new Set(from)].sort((a, b) => a - b);
    const key = sorted.join(' ');
    const held = sets.get(key);
    if (held) held.readers.push(reader);
    else sets.set(key, { inputs: sorted, readers: [reader], part: null, isPart: false, joint: -1 });
  });
  return [...sets.values()];
}

function largestPart(set: InputSet, sets: readonly InputSet[]): InputSet | null {
  const all = new Set(set.inputs);
  let largest: InputSet | null = null;
  for (const other of sets) {
    const size = other.inputs.length;
    if (size >= all.size || size <= (largest?.inputs.length ?? 0)) continue;
    if (other.inputs.every((node) => all.has(node))) largest = other;
  }
  return largest;
}

function edgesOf({ inputs, readers, part, joint }: InputSet): (readonly [number, number])[] {
  const taken = new Set(part?.inputs);
  const rest = inputs.filter((node) => !taken.has(node));
  const from = part ? [part.joint, ...rest] : rest;
  if (joint < 0) return from.map((place) => [place, readers[0]]);
  return [
    ...from.map((place) => [place, joint] as const),
    ...readers.map((reader) => [joint, reader] as const),
  ];
}
