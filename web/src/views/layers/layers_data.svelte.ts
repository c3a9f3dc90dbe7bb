import { SvelteMap } from 'svelte/reactivity';
import { networkOf, type Network } from '../../kernel/network.ts';
import type { View } from '../../kernel/view_state.ts';
import { DetailedPart, type Look } from '../../detailed.svelte.ts';
import { Part, type AnyPart } from '../../part.svelte.ts';
import type {
  BoxStats,
  FilterCells,
  FilterHistory,
  FilterRank,
  FilterRows,
  Kernels,
  NodeStats,
  TopCounts,
  TopFilters,
} from '../../source.ts';
import { unowned } from '../../unowned.svelte.ts';
import { missingFromNetwork } from './stale_link.ts';
import { lateScript } from '../frame/late_script.ts';
import type { Follower, RunData } from '../frame/run_data.svelte.ts';
import type { Flight } from './flight.svelte.ts';

/** A layer that is unfolded into its filters. */
export class UnfoldedLayer {
  readonly cells = new DetailedPart<FilterCells>();
  readonly order = new Part<FilterRows>();
  /** Positions to filters; null while the order is awaited. */
  readonly rows = $derived.by((): Int32Array | null => {
    const filters = this.cells.whole.value?.cells.rows;
    if (filters === undefined) return null;
    const order = this.order.value?.order;
    return order?.length === filters ? order : Int32Array.from({ length: filters }, (_, i) => i);
  });

  clear(): void {
    this.cells.clear();
    this.order.clear();
  }
}

/** Everything that the Layer view shows of one run, part by part, kept up with a live run. */
export class LayersData implements Follower {
  readonly run: RunData;
  readonly answer = new Part<Network>();
  readonly stats = new DetailedPart<NodeStats>();
  readonly boxes = new SvelteMap<number, Part<BoxStats>>();
  readonly unfolded = new SvelteMap<number, UnfoldedLayer>();
  readonly filter = new Part<FilterHistory>();
  readonly rank = new Part<FilterRank>();
  readonly topCounts = new Part<TopCounts>();
  readonly topFilters = new Part<TopFilters>();
  readonly kernels = new Part<Kernels>();
  /** Code for runs that have flights. */
  readonly flightParts = new Part<typeof import('./flight_parts.ts')>();

  readonly network = $derived.by(() => this.answer.value);

  /** What these iterations lead to, where they are not the dumps of a run. */
  readonly flight: Flight | null;

  constructor(run: RunData, flight: Flight | null = null) {
    this.run = run;
    this.flight = flight;
  }

  /** The run itself, whatever is shown of it. */
  get whole(): RunData {
    return this.flight?.of ?? this.run;
  }

  /** Ask for whatever this view needs and does not have; `nodes` are those that have a chart, `look` is how closely. */
  ask(view: View, nodes: readonly number[], look: Look): void {
    const { source, id, waiting, info } = this.run;
    this.run.ask();
    if (!info.value || waiting) return;
    this.whole.askFlights();
    if (this.whole.flights.value?.length) {
      this.flightParts.load('code', () => lateScript(import('./flight_parts.ts')));
    }
    // Where there is no such flight that is said once.
    if (this.flight && !this.run.overall.value) return;
    this.answer.load(id, async (_, asking) => networkOf(await source.network(id, asking)));
    const { network } = this;
    // What does not exist is not asked for: the view is about to be corrected, and says so.
    if (!network || missingFromNetwork(view, network)) return;
    const { stat } = view;
    this.stats.load(stat, look, (range, held, asking) => source.nodeStats(id, stat, range, held, asking));
    this.#askBoxes(view, nodes);
    this.#askUnfolded(view, nodes, look);
    this.#askFilter(view);
    if (view.top === 0) this.topCounts.clear();
    else {
      const { top, distance } = view;
      this.topCounts.load(
        `${top} ${distance}`,
        (_, asking) => source.topCounts(id, top, distance, asking),
        'keep',
      );
    }
  }

  /** The batch of a flight's iteration, or the most changed filters and the pictures of the first convolution at one dump. */
  askAt(view: View, iteration: number, wantsKernels: boolean): void {
    const { source, id } = this.run;
    this.flight?.askBatch(iteration);
    const { top, distance } = view;
    if (top === 0) this.topFilters.clear();
    else {
      this.topFilters.load(
        `${iteration} ${top} ${distance}`,
        (_, asking) => source.topFilters(id, iteration, top, distance, asking),
        'keep',
      );
    }
    if (!wantsKernels) this.kernels.clear();
    else {
      this.kernels.load(`${iteration}`, (_, asking) => source.kernels(id, iteration, asking), 'keep');
    }
  }

  #askBoxes(view: View, nodes: readonly number[]): void {
    const wanted = new Set(view.chart === 'box' ? nodes : []);
    for (const [node, part] of this.boxes) {
      if (wanted.has(node)) continue;
      part.clear();
      this.boxes.delete(node);
    }
    const { source, id } = this.run;
    const { stat } = view;
    for (const node of wanted) {
      const part = this.boxes.get(node) ?? new Part<BoxStats>();
      this.boxes.set(node, part);
      part.load(stat, (held, asking) => source.box(id, node, stat, held, asking), 'keep');
    }
  }

  #askUnfolded(view: View, nodes: readonly number[], look: Look): void {
    const shown = new Set(nodes.map((node) => this.network?.nodes[node].layer));
    const wanted = new Set(view.layers.filter((layer) => shown.has(layer)));
    for (const [layer, entry] of this.unfolded) {
      if (wanted.has(layer)) continue;
      entry.clear();
      this.unfolded.delete(layer);
    }
    const { source, id } = this.run;
    const { filterStat: measure, norm, filterRows: by } = view;
    for (const layer of wanted) {
      const entry = this.unfolded.get(layer) ?? unowned(() => new UnfoldedLayer());
      this.unfolded.set(layer, entry);
      entry.cells.load(`${measure} ${norm}`, look, (range, _, asking) =>
        source.filters(id, layer, measure, norm, range, asking),
      );
      if (by === 'index') entry.order.clear();
      else {
        entry.order.load(
          `${measure} ${by}`,
          (_, asking) => source.filterOrder(id, layer, measure, by, asking),
          'keep',
        );
      }
    }
  }

  #askFilter(view: View): void {
    const { source, id } = this.run;
    if (!view.filter) {
      this.filter.clear();
      this.rank.clear();
      return;
    }
    const [layer, filter] = view.filter;
    const measure = view.filterStat;
    this.filter.load(`${layer} ${filter}`, (_, asking) => source.filter(id, layer, filter, asking), 'keep');
    if (this.flight) return; // ranks are of dumps
    this.rank.load(
      `${layer} ${filter} ${measure}`,
      (_, asking) => source.filterRank(id, layer, filter, measure, asking),
      'keep',
    );
  }

  grown(): void {
    this.stats.refresh();
    for (const part of this.boxes.values()) part.refresh();
  }

  grownLately(): void {
    this.stats.renew();
    for (const { cells, order } of this.unfolded.values()) {
      cells.refresh();
      cells.renew();
      order.refresh();
    }
    for (const part of [this.filter, this.rank, this.topCounts]) part.refresh();
  }

  reconnected(): void {
    for (const { part } of this.parts) if (part.failure) part.retry();
  }

  /** Every part, and what it is called where it fails. */
  get parts(): readonly { readonly what: string; readonly part: AnyPart }[] {
    const nameOf = (layer: number) => this.network?.layers[layer]?.name ?? `layer ${layer}`;
    return [
      { what: 'The network', part: this.answer },
      { what: 'The marks of iterations kept before dumps', part: this.flightParts },
      { what: 'The list of iterations kept before dumps', part: this.whole.flights },
      { what: 'The measure of the layers', part: this.stats.whole },
      { what: 'The measure of the shown iterations', part: this.stats.near },
      ...[...this.boxes].map(([node, part]) => ({
        what: `The distribution of ${this.network?.nodes[node]?.name ?? 'a layer'}`,
        part,
      })),
      ...[...this.unfolded].flatMap(([layer, entry]) => [
        { what: `The filters of ${nameOf(layer)}`, part: entry.cells.whole },
        { what: `The shown iterations of ${nameOf(layer)}`, part: entry.cells.near },
        { what: `The order of the filters of ${nameOf(layer)}`, part: entry.order },
      ]),
      { what: 'The filter', part: this.filter },
      { what: 'The rank of the filter', part: this.rank },
      { what: 'The most changed filters', part: this.topCounts },
      { what: 'The most changed filters of this dump', part: this.topFilters },
      { what: 'The weights of the first convolution', part: this.kernels },
    ];
  }

  /** Everything that the picture waits for has come or failed. */
  get settled(): boolean {
    const { run } = this;
    if (!run.settled) return false;
    if (!run.info.value || run.waiting) return true;
    if (this.answer.failure || (this.flight && run.overall.failure)) return true;
    if (!this.network || (!this.stats.whole.value && !this.stats.whole.failure)) return false;
    return this.parts.every(({ part }) => !part.busy) && !this.flight?.batch.busy;
  }

  get stale(): boolean {
    return this.stats.whole.busy && this.stats.whole.value !== null;
  }
}
