import { levelOf, type Level, type Network } from './network.ts';

/**
 * Which chart of the Layer view lies where? One row a shown node of the hierarchy, in network order.
 *
 * 1. Modules are higher than blocks, blocks higher than layers. Where they leave room, all grow alike.
 * 2. An unfolded layer has its filters in place of its curve: as many pixels a filter as chosen, or as fit.
 */
export interface ChartRow {
  readonly kind: 'chart';
  readonly node: number;
  readonly level: Level;
  readonly y: number;
  readonly h: number;
}

export interface FiltersRow {
  readonly kind: 'filters';
  readonly node: number;
  readonly level: Level;
  readonly layer: number;
  readonly filters: number;
  /** Pixels a filter; the chart scrolls inside where filters * rowHeight exceeds h. */
  readonly rowHeight: number;
  readonly y: number;
  readonly h: number;
}

export type LayerRow = ChartRow | FiltersRow;

export interface LayerLayoutInput {
  readonly network: Network;
  /** Shown nodes, in the order of their charts. */
  readonly nodes: readonly number[];
  readonly isUnfolded: (layer: number) => boolean;
  /** Pixels a filter; 0 for as many as fit. */
  readonly filterHeight: number;
  /** Room for all rows. */
  readonly height: number;
}

export interface LayerLayout {
  readonly rows: readonly LayerRow[];
  readonly height: number;
}

export const ROW_HEIGHT: Readonly<Record<Level, number>> = { module: 50, block: 40, layer: 34 };
export const ROW_GAP = 9;
const MOST_GROWTH = 2.2;
const MOST_FITTED = 3;
const SMALLEST_FILTERS = 60;

export function layOutLayers(input: LayerLayoutInput): LayerLayout {
  const { network, nodes, height } = input;
  const tallest = Math.max(180, Math.round(height * 0.46));
  const levels = nodes.map((node) => levelOf(network, node));
  const unfolded = nodes.map((node) => {
    const { layer } = network.nodes[node];
    return layer !== null && input.isUnfolded(layer) ? layer : null;
  });
  const opened = unfolded.map((layer) =>
    layer === null ? 0 : filtersHeight(network.layers[layer].filters, input.filterHeight, tallest),
  );
  const charts = sum(levels.map((level, i) => (unfolded[i] === null ? ROW_HEIGHT[level] : 0)));
  const rest = height - sum(opened) - nodes.length * ROW_GAP;
  const growth = charts > 0 ? Math.max(1, Math.min(MOST_GROWTH, rest / charts)) : 1;
  let y = 0;
  const rows = nodes.map((node, i): LayerRow => {
    const level = levels[i];
    const layer = unfolded[i];
    const h = layer === null ? Math.floor(ROW_HEIGHT[level] * growth) : opened[i];
    const at = { node, level, y, h };
    y += h + ROW_GAP;
    if (layer === null) return { kind: 'chart', ...at };
    const { filters } = network.layers[layer];
    const rowHeight = input.filterHeight || h / filters;
    return { kind: 'filters', ...at, layer, filters, rowHeight: Math.max(rowHeight, h / filters) };
  });
  return { rows, height: y };
}

function filtersHeight(filters: number, chosen: number, tallest: number): number {
  const wanted = filters * (chosen || MOST_FITTED);
  return Math.round(Math.max(SMALLEST_FILTERS, Math.min(wanted, tallest)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The row at a content height, or null in a gap. */
export function layerRowAt(layout: LayerLayout, y: number): LayerRow | null {
  return layout.rows.find((row) => y >= row.y && y < row.y + row.h) ?? null;
}

/** Rows that reach into [top, bottom). */
export function layerRowsBetween(layout: LayerLayout, top: number, bottom: number): readonly LayerRow[] {
  return layout.rows.filter((row) => row.y + row.h > top && row.y < bottom);
}

/** The largest first position of a chart that scrolls inside. */
export function largestTopOf(row: FiltersRow): number {
  return Math.max(0, row.filters - row.h / row.rowHeight);
}
