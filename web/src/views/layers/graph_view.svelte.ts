import { fitted, kept, nodeAt, opening, revealing, zoomed, type Camera } from '../../kernel/graph_camera.ts';
import { boxesOf, missingGraph } from '../../kernel/graph_layout.ts';
import { moduleSpans } from '../../kernel/graph_modules.ts';
import { stepFrom, type Step } from '../../kernel/graph_steps.ts';
import type { GraphPicture } from '../../marks/graph.ts';
import { fillsOf } from './graph_colours.ts';
import { GraphTask } from './graph_task.svelte.ts';
import type { LayersStage } from './layers_stage.svelte.ts';

const KEY_STEPS: Readonly<Record<string, Step>> = {
  ArrowDown: 'down',
  ArrowUp: 'up',
  ArrowLeft: 'left',
  ArrowRight: 'right',
};
const ZOOM_STEP = 1.25;

/** The pop-out graph: its layout, the part of it that is shown, and the node that the pointer or a key is at. */
export class GraphView {
  readonly stage: LayersStage;
  readonly task = new GraphTask();
  readonly #onOpen: (layer: number) => void;

  width = $state(0);
  height = $state(0);
  node = $state<number | null>(null);
  /** Where the hand has moved it; null until it does. */
  #moved = $state.raw<Camera | null>(null);

  constructor(stage: LayersStage, onOpen: (layer: number) => void) {
    this.stage = stage;
    this.#onOpen = onOpen;
  }

  readonly network = $derived.by(() => this.stage.network);
  readonly boxes = $derived.by(() => (this.network ? boxesOf(this.network) : []));
  readonly missing = $derived.by(() => this.network && missingGraph(this.network));

  readonly modules = $derived.by(() => {
    const { layout } = this.task;
    return layout && this.network ? moduleSpans(this.network, this.stage.defaults, layout) : [];
  });

  readonly camera: Camera | null = $derived.by(() => {
    const { layout } = this.task;
    if (!layout || this.width === 0 || this.height === 0) return null;
    return this.#moved ? kept(this.#moved, layout, this) : opening(layout, this);
  });

  readonly picture: GraphPicture | null = $derived.by(() => {
    const { layout } = this.task;
    const { camera, network, boxes, width, height } = this;
    if (!layout || !camera || !network) return null;
    return { layout, boxes, camera, width, height, ...fillsOf(this.stage, network) };
  });

  lay(): void {
    if (this.network && !this.missing) this.task.run(this.network, this.boxes);
  }

  at(x: number, y: number): number | null {
    const { layout } = this.task;
    return layout && this.camera ? nodeAt(layout, this.camera, x, y) : null;
  }

  pan(dx: number, dy: number): void {
    const { camera } = this;
    if (camera) this.#moved = { ...camera, x: camera.x + dx, y: camera.y + dy };
  }

  zoomBy(factor: number, at: readonly [number, number] = [this.width / 2, this.height / 2]): void {
    const { layout } = this.task;
    if (layout && this.camera) this.#moved = zoomed(this.camera, factor, at, layout, this);
  }

  zoomIn(): void {
    this.zoomBy(ZOOM_STEP);
  }

  zoomOut(): void {
    this.zoomBy(1 / ZOOM_STEP);
  }

  fit(): void {
    const { layout } = this.task;
    if (layout) this.#moved = fitted(layout, this);
  }

  open(node: number): void {
    const layer = this.network?.graph.nodes[node].layer ?? null;
    if (layer !== null) this.#onOpen(layer);
  }

  isLayer(node: number | null): boolean {
    return node !== null && this.network?.graph.nodes[node].layer !== null;
  }

  /** Returns whether the key meant something. */
  press(event: KeyboardEvent): boolean {
    const { layout } = this.task;
    if (!layout || event.ctrlKey || event.metaKey || event.altKey) return false;
    const step = KEY_STEPS[event.key];
    if (step) this.#step(step);
    else if (event.key === 'Tab') return this.#stepInOrder(event.shiftKey ? -1 : 1);
    else {
      const acts: Readonly<Record<string, () => void>> = {
        Home: () => this.#show(0),
        End: () => this.#show(layout.nodes.length - 1),
        Enter: () => this.node !== null && this.open(this.node),
        '+': () => this.zoomIn(),
        '=': () => this.zoomIn(),
        '-': () => this.zoomOut(),
        '0': () => this.fit(),
        PageDown: () => this.pan(0, -0.8 * this.height),
        PageUp: () => this.pan(0, 0.8 * this.height),
      };
      const act = acts[event.key];
      act?.();
      return act !== undefined;
    }
    return true;
  }

  #step(step: Step): void {
    const { layout } = this.task;
    if (!layout || !this.network) return;
    this.#show(this.node === null ? 0 : stepFrom(this.network.graph, layout, this.node, step));
  }

  /** Through all nodes; beyond the last one the focus moves on. */
  #stepInOrder(by: 1 | -1): boolean {
    const count = this.task.layout?.nodes.length ?? 0;
    const next = this.node === null ? (by > 0 ? 0 : -1) : this.node + by;
    if (next < 0 || next >= count) return false;
    this.#show(next);
    return true;
  }

  #show(node: number): void {
    const { layout } = this.task;
    if (!layout || !this.camera) return;
    this.node = node;
    this.#moved = revealing(this.camera, layout.nodes[node], layout, this);
  }
}
