import { nearestDump } from '../../kernel/axis.ts';
import { boxBins, boxExtent } from '../../kernel/boxes.ts';
import { colourAt, cssOf, rootLutOf } from '../../kernel/colour.ts';
import { extentOver, readingAt, type Curve, type Detail, type Reading } from '../../kernel/detail.ts';
import { largestTopOf, layOutLayers, type FiltersRow, type LayerLayout } from '../../kernel/layer_layout.ts';
import { guideOf } from '../../kernel/measures.ts';
import { isWithin, shownWithin } from '../../kernel/network.ts';
import { extentOf, horizonScale, lineScale, type Extent } from '../../kernel/series.ts';
import { chartOrder, layOutSpine } from '../../kernel/spine.ts';
import type { Surface } from '../../marks/surface.ts';
import type { Settings } from '../../settings.svelte.ts';
import type { FilterCells, NodeStats } from '../../source.ts';
import type { ViewStore } from '../../view.svelte.ts';
import { TimeStage } from '../frame/time_stage.svelte.ts';
import type { Hover } from './hit.ts';
import type { LayersData } from './layers_data.svelte.ts';
import {
  AXIS_HEIGHT,
  HEAD,
  LEGEND_HEIGHT,
  marginsOf,
  spineBottom,
  type Focus,
  type LayerFilters,
  type Scales,
  type Scene,
} from './scene.ts';

/** A signed cell without a change: the middle of 1..255. */
const MIDDLE_CELL = 128;

/** What the stage of the Layer view shows now: data and view and what the hand is doing, turned into one scene. */
export class LayersStage extends TimeStage {
  readonly data: LayersData;

  hover = $state.raw<Hover | null>(null);
  spineScroll = $state(0);
  filterTops = $state.raw<ReadonlyMap<number, number>>(new Map());

  constructor(data: LayersData, store: ViewStore, settings: Settings) {
    super(data.run, store, settings);
    this.data = data;
  }

  override get unit(): 'dump' | 'iteration' {
    return this.data.flight ? 'iteration' : 'dump';
  }

  protected margins(width: number) {
    return marginsOf(width);
  }

  readonly network = $derived.by(() => this.data.network);
  /** The layers that all views are restricted to; empty where they are not. */
  readonly #only = $derived.by(() => new Set(this.store.v.onlyLayers));
  readonly defaults = $derived.by(() => (this.network ? shownWithin(this.network, this.#only) : []));

  /** Nodes that have a chart, in the order of the network. */
  readonly nodes: readonly number[] = $derived.by(() => {
    const { network, spine } = this;
    if (!network || !spine) return [];
    const wanted = this.store.v.nodes ?? this.defaults;
    const isShown = (node: number) => isWithin(network, node, this.#only);
    const known = wanted.filter((node) => node > 0 && node < network.nodes.length && isShown(node));
    const unfolded = this.store.v.layers.filter((layer) => layer < network.layers.length);
    const leaves = unfolded.map((layer) => network.nodeOfLayer[layer]).filter(isShown);
    return chartOrder(spine, [...new Set([...(known.length > 0 ? known : this.defaults), ...leaves])]);
  });
  readonly #shown = $derived.by(() => new Set(this.nodes));

  readonly spine = $derived.by(() => {
    if (!this.network || this.height === 0) return null;
    const start = performance.now();
    const spine = layOutSpine(this.network, spineBottom(this) - HEAD.height);
    performance.measure('spine', { start });
    return spine;
  });
  readonly maxSpineScroll = $derived.by(() =>
    this.spine ? Math.max(0, this.spine.height - (spineBottom(this) - HEAD.height)) : 0,
  );

  readonly bodyHeight = $derived.by(
    () => this.height - HEAD.height - AXIS_HEIGHT - (this.legend ? LEGEND_HEIGHT : 0) - 4,
  );

  readonly layout: LayerLayout = $derived.by(() => {
    const { network } = this;
    if (!network) return { rows: [], height: 0 };
    const unfolded = new Set(this.store.v.layers);
    return layOutLayers({
      network,
      nodes: this.nodes,
      isUnfolded: (layer) => unfolded.has(layer),
      filterHeight: this.store.v.filterHeight,
      height: this.bodyHeight,
    });
  });

  readonly maxScroll = $derived.by(() => Math.max(0, this.layout.height - this.bodyHeight));

  /** What is drawn: the finest that is here of the dumps that are shown. */
  readonly #stats = $derived.by(() => this.data.stats.over(this.zoom));

  /** What the columns of the charts are, once they are here. */
  readonly detail: Detail | null = $derived.by(() => this.#stats?.detail ?? null);

  /** The measure of a node over the dumps, as far as it has come. */
  curve(node: number): Curve | null {
    return curveOf(this.#stats, node);
  }

  /** The measure of a node at a dump, in what is drawn; at a dump that is not shown, in what is known of the whole run. */
  readingAt(node: number, dump: number): Reading | null {
    const shown = this.curve(node);
    const whole = curveOf(this.data.stats.whole.value, node);
    return (shown && readingAt(shown, dump)) ?? (whole && readingAt(whole, dump));
  }

  /** Dumps that scales are made for: those shown, but not while the hand moves them. */
  readonly #scaledDumps = $derived.by(() => this.spanOf(this.store.v.zoom) ?? ([0, this.run.dumps] as const));
  readonly #scaledStats = $derived.by(() => this.data.stats.over(this.#scaledDumps));

  readonly #scales: Scales = $derived.by(() => {
    const [from, to] = this.#scaledDumps;
    const { bands, ownScale, chart, stat } = this.store.v;
    const boxes = chart === 'box';
    const guide = guideOf(stat);
    const extents = new Map<number, Extent | null>();
    for (const node of this.nodes) {
      extents.set(node, boxes ? this.#boxExtent(node, from, to) : this.#extent(node, from, to));
    }
    const withGuide = (some: readonly (Extent | null)[]) =>
      guide && !boxes ? [...some, [0, guide.value] as const] : some;
    if (ownScale) {
      const one = (node: number) => [extents.get(node) ?? null];
      return {
        line: (node: number) => lineScale(withGuide(one(node))),
        horizon: (node: number) => horizonScale(one(node), bands),
      };
    }
    const all = [...extents.values()];
    const line = lineScale(withGuide(all));
    const horizon = horizonScale(all, bands);
    return { line: () => line, horizon: () => horizon };
  });

  #extent(node: number, from: number, to: number): Extent | null {
    const curve = curveOf(this.#scaledStats, node);
    return curve && extentOver(curve, [from, to]);
  }

  /** Wide enough for the boxes; whiskers of a million weights would press them flat, and are cut. */
  #boxExtent(node: number, from: number, to: number): Extent | null {
    const five = this.data.boxes.get(node)?.value?.values;
    return five ? boxExtent(five, from, to) : null;
  }

  readonly #luts = $derived.by(() => {
    const { theme } = this.settings;
    return {
      changeLut: rootLutOf(theme.changeRamp, 1),
      divergingLut: rootLutOf(theme.divergingRamp, MIDDLE_CELL),
    };
  });

  /** The cells of an unfolded layer that are drawn. */
  filterCells(layer: number): FilterCells | null {
    return this.data.unfolded.get(layer)?.cells.over(this.zoom) ?? null;
  }

  /** The chart of a layer's filters, but for where it lies; null until its cells have come. */
  #filterChart(row: FiltersRow): Omit<LayerFilters, 'y'> | null {
    const cells = this.filterCells(row.layer);
    const order = this.data.unfolded.get(row.layer)?.rows;
    if (!cells || !order) return null;
    const signed = cells.lo < 0;
    return {
      detail: cells.detail,
      cells: cells.cells,
      order,
      lut: signed ? this.#luts.divergingLut : this.#luts.changeLut,
      middle: signed ? MIDDLE_CELL : 0,
      never: cells.never,
      h: row.h,
      top: this.filterTop(row),
      rowHeight: row.rowHeight,
    };
  }

  filterTop(row: FiltersRow): number {
    return Math.min(this.filterTops.get(row.layer) ?? 0, largestTopOf(row));
  }

  setFilterTop(row: FiltersRow, top: number): void {
    this.filterTops = new Map(this.filterTops).set(row.layer, Math.max(0, Math.min(largestTopOf(row), top)));
  }

  /** Every chart has what it draws, or has failed to get it. */
  readonly complete = $derived.by(() => {
    const come = (part: { value: unknown; failure: unknown } | undefined) =>
      Boolean(part && (part.value !== null || part.failure !== null));
    const { boxes, unfolded, stats } = this.data;
    if (!come(stats.whole)) return false;
    return this.layout.rows.every((row) =>
      row.kind === 'filters'
        ? come(unfolded.get(row.layer)?.cells.whole)
        : this.store.v.chart !== 'box' || come(boxes.get(row.node)),
    );
  });

  /** The dumps before which every iteration was kept, once the code that tells of them is here. */
  readonly flightMarks = $derived.by(() => this.data.flightParts.value?.marksOf(this) ?? []);

  readonly #drawFlights = $derived.by(() => {
    const parts = this.data.flightParts.value;
    const marks = this.flightMarks;
    const noticed = parts?.noticedOf(this) ?? [];
    return (surface: Surface, scene: Scene) => parts?.drawFlights(surface, scene, marks, noticed);
  });

  readonly #found = $derived.by(() => {
    const { finding } = this.store.v;
    const one = finding === null ? null : this.run.findings?.all.find(({ key }) => key === finding);
    return one && one.layer !== null ? { layer: one.layer, filters: one.filters } : null;
  });

  readonly scene: Scene | null = $derived.by(() => {
    if (!this.network || !this.spine || this.width === 0 || this.run.dumps === 0) return null;
    return this.sceneOf(Math.min(this.scroll, this.maxScroll), this.height, this.bodyHeight);
  });

  /** The scene at another scroll and height: an exported picture shows all charts. */
  sceneOf(scroll: number, height: number, body: number): Scene {
    const { network, spine, axis } = this;
    if (!network || !spine) throw new Error('the network must be known before it is drawn.');
    const shown = this.#shown;
    // Made here and not when drawn, so that the scene is another one when they have come.
    const filters = new Map(
      this.layout.rows.flatMap((row) =>
        row.kind === 'filters' ? [[row.layer, this.#filterChart(row)] as const] : [],
      ),
    );
    const boxes = new Map([...this.data.boxes].map(([node, part]) => [node, part.value]));
    return {
      theme: this.settings.theme,
      width: this.width,
      height,
      axis,
      axisY: HEAD.height + Math.min(this.layout.height, Math.max(0, body)),
      scroll,
      spineScroll: Math.min(this.spineScroll, this.maxSpineScroll),
      layout: this.layout,
      network,
      spine,
      view: this.store.v,
      stages: this.run.info.value?.lr_stages ?? [],
      unit: this.unit,
      drawFlights: this.#drawFlights,
      detail: this.detail,
      curve: this.#stats ? (node) => this.curve(node) : () => null,
      readingAt: (node, dump) => this.readingAt(node, dump),
      bins: (node) => {
        const five = boxes.get(node)?.values;
        return five ? boxBins(five, axis) : null;
      },
      scales: this.#scales,
      boxesOf: [...boxes.values()][0]?.of ?? 'filters',
      filterChart: (row, y) => {
        const chart = filters.get(row.layer);
        return chart ? { ...chart, y } : null;
      },
      isShown: (node) => shown.has(node),
      found: this.#found,
    };
  }

  /** The dump that is looked at: under the pointer, else the last one that is marked, else the newest. */
  readonly focusDump: number = $derived.by(() => {
    if (this.hover?.dump !== null && this.hover?.dump !== undefined) return this.hover.dump;
    const mark = this.store.v.marks[this.store.v.marks.length - 1];
    return mark === undefined ? this.run.dumps - 1 : nearestDump(this.run.iterations, mark);
  });

  readonly focus: Focus = $derived.by(() => {
    const dump = this.focusDump;
    const counts = this.data.topCounts.value;
    const top = this.data.topFilters.value;
    return {
      dump,
      counts:
        counts && this.store.v.top > 0 && dump < counts.dumps
          ? Int32Array.from(
              { length: counts.layers },
              (_, layer) => counts.counts[layer * counts.dumps + dump],
            )
          : null,
      fill: this.store.v.spine === 'value' ? this.#fillAt(dump) : null,
      top: (layer) => {
        if (!top || this.store.v.top === 0) return [];
        const out: number[] = [];
        top.layer.forEach((of, i) => of === layer && out.push(top.filter[i]));
        return out;
      },
    };
  });

  /** The scale of the layers' colours: all layers at the dump that is looked at, so that they compare. */
  readonly valueExtent: Extent | null = $derived.by(() => {
    const { network, focusDump } = this;
    if (!network) return null;
    const values = [...network.nodeOfLayer].map(
      (node) => this.readingAt(node, focusDump)?.mean ?? Number.NaN,
    );
    return extentOf(values);
  });

  #fillAt(dump: number): (layer: number) => string {
    const { network, settings } = this;
    const { theme } = settings;
    const extent = this.valueExtent;
    if (!network || !extent) return () => theme.skeleton;
    const [lo, hi] = extent;
    const most = Math.max(Math.abs(lo), Math.abs(hi)) || 1;
    return (layer) => {
      const value = this.readingAt(network.nodeOfLayer[layer], dump)?.mean ?? Number.NaN;
      if (Number.isNaN(value)) return theme.hatchGround;
      return lo < 0
        ? cssOf(colourAt(theme.divergingRamp, (value / most + 1) / 2))
        : cssOf(colourAt(theme.changeRamp, value / most));
    };
  }
}

function curveOf(stats: NodeStats | null, node: number): Curve | null {
  if (!stats || node >= stats.values.rows) return null;
  const { detail, values, lowest, highest } = stats;
  const mean = values.row(node);
  if (detail.level === 1) return { detail, mean, lowest: mean, highest: mean };
  return { detail, mean, lowest: lowest.row(node), highest: highest.row(node) };
}
