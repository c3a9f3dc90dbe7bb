import type { DumpSpan } from '../../kernel/axis.ts';
import { columnOf, iterationsText } from '../../kernel/detail.ts';
import { iterationText, stageRateText, countText, valueText } from '../../kernel/format.ts';
import type { FiltersRow } from '../../kernel/layer_layout.ts';
import { measureText } from '../../kernel/measures.ts';
import type { Network } from '../../kernel/network.ts';
import type { FilterCells } from '../../source.ts';
import type { Hover } from './hit.ts';
import type { LayersStage } from './layers_stage.svelte.ts';

/** The values under the pointer or the keyboard's cursor, as pairs of label and value. */
export type Reading = readonly (readonly [string, string])[];

export function readingOf(stage: LayersStage, hover: Hover | null): Reading {
  const { network } = stage;
  if (!hover || !network) return [];
  const out: [string, string][] = [];
  const { dump, row } = hover;
  const iteration = dump === null ? undefined : stage.run.iterations[dump];
  if (iteration !== undefined) {
    const { unit, run } = stage;
    const place = unit === 'dump' ? `dump ${dump}` : `${(dump as number) + 1} / ${run.dumps}`;
    out.push(['Iteration', `${iterationText(iteration)} · ${place}`]);
    out.push(...learningRateReading(stage, iteration));
  }
  const node = row?.node ?? spineNode(stage, hover);
  if (node !== null) {
    out.push(...nodeReading(network, node));
    out.push(...valueReading(stage, node, dump ?? stage.focusDump));
    out.push(...boxReading(stage, node, dump ?? stage.focusDump));
    out.push(...topReading(stage, network.nodes[node].layers));
  } else if (hover.spine?.kind === 'row') {
    const part = stage.spine?.rows[hover.spine.row];
    if (part) out.push(['Part', part.label], ['Kind', part.kind]);
  }
  if (row?.kind === 'filters' && hover.filter !== null) {
    out.push(...filterReading(stage, row, hover.filter, dump));
  }
  return out;
}

function spineNode(stage: LayersStage, hover: Hover): number | null {
  const hit = hover.spine;
  if (hit?.kind === 'bar') return hit.node;
  const layer = hit ? (stage.spine?.rows[hit.row].layer ?? null) : null;
  return layer === null ? null : (stage.network?.nodeOfLayer[layer] ?? null);
}

function learningRateReading(stage: LayersStage, iteration: number): [string, string][] {
  const stages = stage.run.info.value?.lr_stages ?? [];
  const at = stages.findLastIndex((s) => s.first <= iteration);
  return at < 0 ? [] : [['Learning rate', `${stageRateText(stages[at])} · stage ${at + 1}`]];
}

function nodeReading(network: Network, node: number): [string, string][] {
  const { name, layer, layers } = network.nodes[node];
  const filters = layers.reduce((sum, l) => sum + network.layers[l].filters, 0);
  if (layer === null) {
    return [
      ['Module', name],
      ['Layers', `${layers.length} · ${countText(filters, 'filter')}`],
    ];
  }
  const { kind, shape, places } = network.layers[layer];
  const out: [string, string][] = [
    ['Layer', name],
    ['Kind', kind],
    ['Weights', shape.join(' × ')],
    ['Filters', iterationText(filters)],
  ];
  if (places.length > 1) out.push(['Shared with', places.slice(1).join(', ')]);
  return out;
}

function valueReading(stage: LayersStage, node: number, dump: number): [string, string][] {
  const here = stage.readingAt(node, dump);
  if (!here) return [];
  const { title } = measureText(stage.store.v.stat);
  if (Number.isNaN(here.mean)) return [[title, 'not recorded']];
  if (!here.of) return [[title, exactText(here.mean)]];
  return [
    ...columnReading(stage, here.of),
    ['Mean', exactText(here.mean)],
    ['Lowest', exactText(here.lowest)],
    ['Highest', exactText(here.highest)],
  ];
}

/** What a column stands for. */
function columnReading(stage: LayersStage, of: DumpSpan): [string, string][] {
  return [
    ['Column', iterationsText(stage.run.iterations, of)],
    ['Dumps', String(of[1] - of[0])],
  ];
}

function boxReading(stage: LayersStage, node: number, dump: number): [string, string][] {
  const five = stage.data.boxes.get(node)?.value?.values;
  if (!five || stage.store.v.chart !== 'box' || dump >= five.length) return [];
  const words = (row: number) => valueText(five.at(row, dump));
  return [
    ['Least · largest', `${words(0)} · ${words(4)}`],
    ['Quartiles', `${words(1)} · ${words(3)}`],
    ['Median', words(2)],
  ];
}

function exactText(value: number): string {
  if (!Number.isFinite(value)) return valueText(value);
  return Number(value.toPrecision(6)).toString().replace('-', '−');
}

function topReading(stage: LayersStage, layers: readonly number[]): [string, string][] {
  const { counts } = stage.focus;
  if (!counts) return [];
  const count = layers.reduce((sum, layer) => sum + counts[layer], 0);
  return [[`Of the top ${stage.store.v.top}`, String(count)]];
}

function filterReading(
  stage: LayersStage,
  row: FiltersRow,
  filter: number,
  dump: number | null,
): [string, string][] {
  const out: [string, string][] = [['Filter', `#${filter}`]];
  const cells = stage.filterCells(row.layer);
  if (!cells) return out;
  if (cells.never.includes(filter)) out.push(['', 'never changes']);
  const column = dump === null ? -1 : columnOf(cells.detail, dump);
  if (column < 0) return out;
  const value = filterValue(cells, filter, column);
  const words = Number.isNaN(value) ? 'not recorded' : `≈ ${valueText(value)}`;
  const { label } = measureText(cells.measure);
  out.push([cells.detail.level === 1 ? label : 'Furthest from 0', words]);
  return out;
}

/** The value of a cell: within half of a 254th of the scale. */
export function filterValue(cells: FilterCells, filter: number, column: number): number {
  const cell = cells.cells.at(filter, column);
  if (cell === 0) return Number.NaN;
  const { size, lo, hi } = cells;
  const by = size.length === 1 ? size[0] : size[cells.normalise === 'filter' ? filter : column];
  return (lo + ((cell - 1) / 254) * (hi - lo)) * by;
}
