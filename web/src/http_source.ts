import type { ConfusionSource } from './confusion_source.ts';
import type { AnomalyCounts } from './kernel/anomaly_counts.ts';
import {
  cursorOf,
  data,
  detailOf,
  firstOf,
  grown,
  grownMatrix,
  namesOf,
  placeOf,
  since,
  within,
} from './http_columns.ts';
import { correlationOf, correlationQuery, correlationRowsOf } from './http_correlation.ts';
import { address, follow, frame, json, type Query } from './http.ts';
import type { Range } from './kernel/detail.ts';
import type { Experiment } from './kernel/experiments.ts';
import type { Findings } from './kernel/findings.ts';
import type { FlightSummary } from './kernel/flights.ts';
import { arrayOf } from './kernel/frame.ts';
import type { NetworkAnswer } from './kernel/network.ts';
import type { Labels } from './kernel/predictions.ts';
import type { Suggestions } from './kernel/suggested.ts';
import type { FilterOrder, Normalisation } from './kernel/view_state.ts';
import type {
  Anomalies,
  Asking,
  BoxStats,
  ClassErrors,
  ClassLabels,
  ClassSamples,
  Clusters,
  Correlation,
  CorrelationRows,
  CorrelationRowsBy,
  CorrelationSettings,
  DataSource,
  FilterCells,
  FilterHistory,
  FilterRank,
  FilterRows,
  Highest,
  Kernels,
  Listener,
  LiveWord,
  NodeStats,
  Overall,
  RunInfo,
  RunList,
  SampleHistory,
  TakenFor,
  TopCounts,
  TopFilters,
} from './source.ts';

/** The server's HTTP API (docs/http-api.md). */
export class HttpSource implements DataSource {
  /** Of runs that have ended: what is asked for with its version, the browser keeps. */
  readonly #versions = new Map<string, string>();

  protected about(route: string, run: string, query: Query = {}): string {
    return address(route, { run, ...query, v: this.#versions.get(run) });
  }

  runs(asking: Asking): Promise<RunList> {
    return json(address('runs', {}), asking);
  }

  async run(run: string, asking: Asking): Promise<RunInfo> {
    const info = await json<RunInfo>(address('run', { run }), asking);
    if (info.version === null) this.#versions.delete(run);
    else this.#versions.set(run, info.version);
    return info;
  }

  async overall(run: string, held: Overall | null, asking: Asking): Promise<Overall> {
    const got = await frame(this.about('overall', run, since(held)), asking);
    const first = firstOf(got);
    return {
      ...cursorOf(got),
      iterations: grown(held?.iterations, 1, first, data<Float64Array>(got, 'iterations')),
      validation: grown(held?.validation, 1, first, data<Float32Array>(got, 'validation_error')),
      training: grown(held?.training, 1, first, data<Float32Array>(got, 'training_error')),
    };
  }

  async classes(
    run: string,
    range: Range | null,
    held: ClassErrors | null,
    asking: Asking,
  ): Promise<ClassErrors> {
    const query = { ...within(range), ...since(held), level: held?.detail.level };
    const got = await frame(this.about('classes', run, query), asking);
    const block = arrayOf(got, 'error');
    const detail = detailOf(got, block.shape[1]);
    const place = placeOf(got, detail);
    const error = grownMatrix<Uint8Array>(held?.error, place, block);
    const highest = detail.level === 1 ? error : grownMatrix(held?.highest, place, arrayOf(got, 'highest'));
    return { ...cursorOf(got), detail, error, highest };
  }

  async clusters(run: string, k: number, asking: Asking): Promise<Clusters> {
    const got = await frame(this.about('clusters', run, { k }), asking);
    const curves = arrayOf(got, 'curves');
    return {
      k: curves.shape[0],
      assignment: data(got, 'assignment'),
      curves: curves.data as Float32Array,
      dumps: curves.shape[1] ?? 0,
      order: data(got, 'order'),
      final: (got.header['final'] ?? []) as number[],
      orderMethod: String(got.header['order_method'] ?? ''),
    };
  }

  async anomalies(run: string, window: number, threshold: number, asking: Asking): Promise<Anomalies> {
    const got = await frame(this.about('anomalies', run, { window, threshold }), asking);
    return {
      window,
      threshold,
      table: {
        cls: data(got, 'class'),
        dump: data(got, 'dump'),
        left: data(got, 'left'),
        right: data(got, 'right'),
        pending: data(got, 'pending'),
      },
      highest: (got.header['highest'] ?? null) as Highest | null,
    };
  }

  async anomalyCounts(run: string, asking: Asking): Promise<AnomalyCounts> {
    const got = await frame(this.about('anomaly-counts', run), asking);
    return { windows: data(got, 'windows'), counts: data(got, 'counts') };
  }

  suggestions(run: string, asking: Asking): Promise<Suggestions> {
    return json(this.about('suggestions', run), asking);
  }

  findings(run: string, asking: Asking): Promise<Findings> {
    return json(this.about('findings', run), asking);
  }

  /** They may come after the run has ended. */
  async experiments(run: string, asking: Asking): Promise<readonly Experiment[]> {
    return (await json<{ experiments: Experiment[] }>(address('experiments', { run }), asking)).experiments;
  }

  async classSamples(
    run: string,
    cls: number,
    window: number,
    range: Range,
    held: ClassSamples | null,
    asking: Asking,
  ): Promise<ClassSamples> {
    const query = { cls, window, ...within(range), ...since(held), level: held?.detail.level };
    const got = await frame(this.about('class', run, query), asking);
    const block = arrayOf(got, 'error');
    const detail = detailOf(got, block.shape[1]);
    const place = placeOf(got, detail);
    const labels = () => grownMatrix<Labels>(held?.labels ?? undefined, place, arrayOf(got, 'labels'));
    return {
      ...cursorOf(got),
      detail,
      error: grownMatrix(held?.error, place, block),
      labels: detail.level === 1 ? labels() : null,
      left: data(got, 'left'),
      right: data(got, 'right'),
      samples: data(got, 'samples'),
      order: data(got, 'order'),
      names: namesOf(got),
      orderMethod: String(got.header['order_method'] ?? ''),
    };
  }

  async classLabels(
    run: string,
    cls: number,
    held: ClassLabels | null,
    asking: Asking,
  ): Promise<ClassLabels> {
    const got = await frame(this.about('class', run, { cls, ...since(held) }), asking);
    const labels = grownMatrix<Labels>(held?.labels, firstOf(got), arrayOf(got, 'labels'));
    return { ...cursorOf(got), labels, samples: data(got, 'samples'), names: namesOf(got) };
  }

  async takenFor(run: string, cls: number, range: Range, asking: Asking): Promise<TakenFor> {
    const got = await frame(this.about('class-taken', run, { cls, ...within(range) }), asking);
    const { shape, data: counts } = arrayOf(got, 'counts');
    const [rows, columns] = shape;
    return {
      ...cursorOf(got),
      detail: detailOf(got, columns),
      labels: data(got, 'labels'),
      counts: Array.from({ length: rows }, (_, row) =>
        (counts as Int32Array).subarray(row * columns, (row + 1) * columns),
      ),
      known: data(got, 'known'),
    };
  }

  async sample(run: string, sample: number, asking: Asking): Promise<SampleHistory> {
    const got = await frame(this.about('sample', run, { sample }), asking);
    return {
      iterations: data(got, 'iterations'),
      labels: data(got, 'labels'),
      probability: data(got, 'probability'),
      loss: data(got, 'loss'),
      label: Number(got.header['label']),
      name: String(got.header['name'] ?? sample),
      hasPicture: Boolean(got.header['has_picture']),
    };
  }

  network(run: string, asking: Asking): Promise<NetworkAnswer> {
    return json(this.about('network', run), asking);
  }

  async nodeStats(
    run: string,
    measure: string,
    range: Range | null,
    held: NodeStats | null,
    asking: Asking,
  ): Promise<NodeStats> {
    const query = { measure, ...within(range), ...since(held), level: held?.detail.level };
    const got = await frame(this.about('node-stats', run, query), asking);
    const block = arrayOf(got, 'values');
    const detail = detailOf(got, block.shape[1]);
    const place = placeOf(got, detail);
    const values = grownMatrix<Float32Array>(held?.values, place, block);
    const envelope = (name: 'lowest' | 'highest') =>
      detail.level === 1 ? values : grownMatrix<Float32Array>(held?.[name], place, arrayOf(got, name));
    return {
      ...cursorOf(got),
      measure,
      detail,
      values,
      lowest: envelope('lowest'),
      highest: envelope('highest'),
    };
  }

  async box(
    run: string,
    node: number,
    measure: string,
    held: BoxStats | null,
    asking: Asking,
  ): Promise<BoxStats> {
    const got = await frame(this.about('box', run, { node, measure, ...since(held) }), asking);
    const first = firstOf(got);
    const values = grownMatrix<Float32Array>(held?.values, first, arrayOf(got, 'values'));
    return { ...cursorOf(got), of: String(got.header['of']), values };
  }

  async filters(
    run: string,
    layer: number,
    measure: string,
    normalise: Normalisation,
    range: Range | null,
    asking: Asking,
  ): Promise<FilterCells> {
    const query = { layer, measure, normalise, ...within(range) };
    const got = await frame(this.about('filters', run, query), asking);
    const block = arrayOf(got, 'cells');
    const { scale } = block;
    const detail = detailOf(got, block.shape[1]);
    return {
      ...cursorOf(got),
      layer,
      measure,
      normalise,
      detail,
      cells: grownMatrix<Uint8Array>(undefined, 0, block),
      lo: scale?.lo ?? 0,
      hi: scale?.hi ?? 1,
      size: data(got, 'size'),
      never: data(got, 'never'),
    };
  }

  async filterValues(run: string, layer: number, measure: string, asking: Asking): Promise<Float32Array> {
    return data(await frame(this.about('filter-values', run, { layer, measure }), asking), 'values');
  }

  async filterOrder(
    run: string,
    layer: number,
    measure: string,
    by: Exclude<FilterOrder, 'index'>,
    asking: Asking,
  ): Promise<FilterRows> {
    const got = await frame(this.about('filter-order', run, { layer, measure, by }), asking);
    return { order: data(got, 'order'), method: String(got.header['order_method']) };
  }

  async filter(run: string, layer: number, filter: number, asking: Asking): Promise<FilterHistory> {
    const got = await frame(this.about('filter', run, { layer, filter }), asking);
    const values = grownMatrix<Float32Array>(undefined, 0, arrayOf(got, 'values'));
    return { layer, filter, measures: got.header['measures'] as string[], values };
  }

  async filterRank(
    run: string,
    layer: number,
    filter: number,
    measure: string,
    asking: Asking,
  ): Promise<FilterRank> {
    const got = await frame(this.about('filter-rank', run, { layer, filter, measure }), asking);
    return { rank: data(got, 'rank'), filters: Number(got.header['filters']) };
  }

  async topFilters(
    run: string,
    iteration: number,
    k: number,
    measure: string,
    asking: Asking,
  ): Promise<TopFilters> {
    const got = await frame(this.about('top-filters', run, { iteration, k, measure }), asking);
    return { layer: data(got, 'layer'), filter: data(got, 'filter'), value: data(got, 'value') };
  }

  async topCounts(run: string, k: number, measure: string, asking: Asking): Promise<TopCounts> {
    const { shape, data: counts } = arrayOf(
      await frame(this.about('top-counts', run, { k, measure }), asking),
      'counts',
    );
    return { layers: shape[0], dumps: shape[1], counts: counts as Int32Array };
  }

  async kernels(run: string, iteration: number, asking: Asking): Promise<Kernels> {
    const got = await frame(this.about('kernels', run, { iteration }), asking);
    const { shape, data: values } = arrayOf(got, 'values');
    return { layer: Number(got.header['layer']), shape, values: values as Float32Array };
  }

  async flights(run: string, asking: Asking): Promise<readonly FlightSummary[]> {
    return (await json<{ flights: FlightSummary[] }>(this.about('flights', run), asking)).flights;
  }

  async flight(dump: number): Promise<DataSource> {
    return new (await import('./http_flight.ts')).HttpFlight(dump);
  }

  async confusion(): Promise<ConfusionSource> {
    const { HttpConfusion } = await import('./http_confusion.ts');
    return new HttpConfusion((route, run, query) => this.about(route, run, query));
  }

  async flightBatch(
    run: string,
    dump: number,
    iteration: number,
    asking: Asking,
  ): Promise<readonly string[]> {
    return (await json<{ ids: string[] }>(this.about('flight-batch', run, { dump, iteration }), asking)).ids;
  }

  async correlation(run: string, settings: CorrelationSettings, asking: Asking): Promise<Correlation> {
    const got = await frame(this.about('correlation', run, correlationQuery(settings)), asking);
    return correlationOf(got, settings);
  }

  async correlationRows(
    run: string,
    settings: CorrelationSettings,
    by: CorrelationRowsBy,
    range: Range | null,
    asking: Asking,
  ): Promise<CorrelationRows> {
    const query = { ...correlationQuery(settings), by, ...within(range) };
    const got = await frame(this.about('correlation-rows', run, query), asking);
    return correlationRowsOf(got, settings, by);
  }

  pictureAddress(run: string, sample: number): string {
    return this.about('picture', run, { sample });
  }

  followRuns(listener: Listener<RunList>): () => void {
    return follow(address('live', {}), 'runs', listener);
  }

  followRun(run: string, listener: Listener<LiveWord>): () => void {
    return follow(address('live', { run }), 'run', listener);
  }
}
