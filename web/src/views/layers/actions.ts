import type { LayerRow } from '../../kernel/layer_layout.ts';
import { descendantsOf, siblingsOf } from '../../kernel/network.ts';
import type { SpineHit } from '../../kernel/spine_geometry.ts';
import { OUT_OF_FLIGHT } from '../../kernel/view_state.ts';
import { clearTime, toggled, toggleMark } from '../frame/time_actions.ts';
import type { Hover } from './hit.ts';
import type { LayersStage } from './layers_stage.svelte.ts';

/** What a finished gesture does, by mouse or by key. Each is one entry of the history. */

function show(stage: LayersStage, nodes: Iterable<number>): void {
  const { network, store } = stage;
  const wanted = [...new Set(nodes)].sort((a, b) => a - b);
  const layers = store.v.layers.filter((layer) => network && wanted.includes(network.nodeOfLayer[layer]));
  const defaults = [...stage.defaults].sort((a, b) => a - b);
  const same = wanted.length === defaults.length && wanted.every((node, i) => node === defaults[i]);
  store.commit({ nodes: same ? null : wanted, layers });
}

/** A level bar: show the node; shown already, show what lies below it, or hide that again. Alt: its siblings too. */
export function toggleNode(stage: LayersStage, node: number, alt: boolean): void {
  const { network } = stage;
  if (!network) return;
  const shown = new Set(stage.nodes);
  const all = alt ? siblingsOf(network, node) : [node];
  if (!shown.has(node)) {
    show(stage, [...shown, ...all]);
    return;
  }
  const below = all.filter((n) => shown.has(n)).flatMap((n) => descendantsOf(network, n));
  const opened = descendantsOf(network, node).some((n) => shown.has(n));
  if (network.nodes[node].children.length === 0) hide(stage, all);
  else if (opened) show(stage, without(shown, below));
  else show(stage, [...shown, ...all.flatMap((n) => network.nodes[n].children)]);
}

function without(shown: ReadonlySet<number>, gone: readonly number[]): number[] {
  const out = new Set(gone);
  return [...shown].filter((node) => !out.has(node));
}

/** Hide nodes and what lies below them; those that are shown first stay, so that the view is never empty. */
export function hide(stage: LayersStage, nodes: readonly number[]): boolean {
  const { network } = stage;
  if (!network) return false;
  const first = new Set(stage.defaults);
  const gone = nodes.flatMap((node) => [...(first.has(node) ? [] : [node]), ...descendantsOf(network, node)]);
  const left = without(new Set(stage.nodes), gone);
  if (left.length === stage.nodes.length) return false;
  show(stage, left);
  return true;
}

/** Up one level: the node and its siblings give way to their parent. Says whether there is a level above. */
export function goUp(stage: LayersStage, node: number): boolean {
  const { network } = stage;
  const parent = network?.nodes[node].parent ?? -1;
  if (!network || parent <= 0) return hide(stage, [node]);
  const left = without(new Set(stage.nodes), descendantsOf(network, parent));
  show(stage, [...left, parent]);
  return true;
}

export function showDefaults(stage: LayersStage): void {
  stage.store.commit({ nodes: null, layers: [] });
}

/** All layers, each with a chart. */
export function showAllLayers(stage: LayersStage): void {
  if (stage.network) show(stage, stage.network.nodeOfLayer);
}

export function unfold(stage: LayersStage, layer: number): void {
  stage.store.commit({ layers: toggled(stage.store.v.layers, layer) });
}

/** A chart: what lies below a module, the filters of a layer. */
export function openRow(stage: LayersStage, row: LayerRow, alt: boolean): void {
  const layer = stage.network?.nodes[row.node].layer ?? null;
  if (layer === null) toggleNode(stage, row.node, alt);
  else unfold(stage, layer);
}

export function selectFilter(stage: LayersStage, layer: number, filter: number): void {
  stage.store.commit({ filter: [layer, filter] });
}

function activateSpine(stage: LayersStage, hit: SpineHit, alt: boolean): void {
  if (hit.kind === 'bar') {
    toggleNode(stage, hit.node, alt);
    return;
  }
  const layer = stage.spine?.rows[hit.row].layer ?? null;
  if (layer !== null) openLayer(stage, layer);
}

/** Show a layer's chart and bring it into view. */
export function openLayer(stage: LayersStage, layer: number, unfolded = false): void {
  const { network, store } = stage;
  if (!network) return;
  const node = network.nodeOfLayer[layer];
  const nodes = stage.nodes.includes(node) ? store.v.nodes : [...stage.nodes, node].sort((a, b) => a - b);
  const layers = unfolded && !store.v.layers.includes(layer) ? [...store.v.layers, layer] : store.v.layers;
  store.commit({ nodes, layers: [...layers].sort((a, b) => a - b) });
  const row = stage.layout.rows.find((r) => r.node === node);
  if (row) stage.scrollTo(row);
}

/** A click, or Enter at the cursor. */
export function activate(stage: LayersStage, hover: Hover, alt: boolean): void {
  const { area, dump, row } = hover;
  if ((area === 'axis' || area === 'head') && dump !== null) toggleMark(stage, dump);
  else if (hover.spine) activateSpine(stage, hover.spine, alt);
  else if (row && area === 'handle') goUp(stage, row.node);
  else if (row?.kind === 'filters' && hover.filter !== null) selectFilter(stage, row.layer, hover.filter);
  else if (row) openRow(stage, row, alt);
}

/** Esc: the innermost thing first. Says whether there was anything to clear. */
export function clearInnermost(stage: LayersStage): boolean {
  if (stage.store.v.filter) {
    stage.store.commit({ filter: null });
    return true;
  }
  if (clearTime(stage)) return true;
  if (!stage.data.flight) return false;
  stage.store.commit(OUT_OF_FLIGHT);
  return true;
}
