import type { AnomalyCounts } from './kernel/anomaly_counts.ts';
import { Columns } from './kernel/columns.ts';
import { arrayOf, decodeFrame, type Cells, type Frame, type FrameArray } from './kernel/frame.ts';
import type { NetworkAnswer } from './kernel/network.ts';
import type { Labels } from './kernel/predictions.ts';
import type { FilterOrder, Normalisation } from './kernel/view_state.ts';
import {
  SourceError,
  type Anomalies,
  type Asking,
  type BoxStats,
  type ClassErrors,
  type ClassSamples,
  type Clusters,
  type Cursor,
  type DataSource,
  type FilterCells,
  type FilterHistory,
  type FilterRank,
  type FilterRows,
  type Highest,
  type Kernels,
  type Listener,
  type LiveWord,
  type NodeStats,
  type Overall,
  type RunInfo,
  type RunList,
  type SampleHistory,
  type TopCounts,
  type TopFilters,
} from './source.ts';

/** The server's HTTP API (docs/http-api.md). The only place of the page that knows of fetch and EventSource. */
const RECONNECT_SECONDS = 3;

type Query = Readonly<Record<string, string | number | undefined>>;

function address(route: string, query: Query): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${encodeURIComponent(value as string | number)}`);
  return `/api/${route}${parts.length ? `?${parts.join('&')}` : ''}`;
}

async function ask(endpoint: string, { signal, onProgress }: Asking): Promise<ArrayBuffer> {
  let response: Response;
  try {
    response = await fetch(endpoint, { signal, headers: { Accept: '*/*' } });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new SourceError(
      'The server does not answer.',
      endpoint,
      0,
      'Is `deeptracker serve` still running?',
    );
  }
  if (!response.ok) throw await failureOf(response, endpoint);
  return onProgress ? received(response, onProgress) : response.arrayBuffer();
}

async function received(response: Response, onProgress: (bytes: number) => void): Promise<ArrayBuffer> {
  if (!response.body) return response.arrayBuffer();
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    total += value.byteLength;
    onProgress(total);
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole.buffer;
}

async function failureOf(response: Response, endpoint: string): Promise<SourceError> {
  const body = (await response.json().catch(() => null)) as {
    error?: { message?: string; remedy?: string };
  } | null;
  const message = body?.error?.message ?? (response.statusText || 'The server could not answer.');
  return new SourceError(message, endpoint, response.status, body?.error?.remedy ?? '');
}

async function json<T>(endpoint: string, asking: Asking): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await ask(endpoint, asking))) as T;
}

async function frame(endpoint: string, asking: Asking): Promise<Frame> {
  return decodeFrame(await ask(endpoint, asking));
}

function data<T extends Cells>(from: Frame, name: string): T {
  return arrayOf(from, name).data as T;
}

function cursorOf(from: Frame): Cursor & { first: number } {
  const { iteration, branch, first } = from.header as { iteration: number; branch: number; first?: number };
  return { iteration, branch, first: first ?? 0 };
}

function since(held: Cursor | null): Query {
  return held && held.iteration >= 0 ? { since: held.iteration, branch: held.branch } : {};
}

function grown<T extends Cells>(
  held: Columns<T> | undefined,
  rows: number,
  first: number,
  block: T,
): Columns<T> {
  return held && held.rows === rows && first <= held.length
    ? held.splice(first, block)
    : Columns.of(rows, block);
}

function grownMatrix<T extends Cells>(
  held: Columns<T> | undefined,
  first: number,
  { shape, data: block }: FrameArray,
): Columns<T> {
  return grown(held, shape[0], first, block as T);
}

export class HttpSource implements DataSource {
  /** Of runs that have ended: what is asked for with its version, the browser keeps. */
  readonly #versions = new Map<string, string>();

  #about(route: string, run: string, query: Query = {}): string {
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
    const got = await frame(this.#about('overall', run, since(held)), asking);
    const { first, ...cursor } = cursorOf(got);
    return {
      ...cursor,
      iterations: grown(held?.iterations, 1, first, data<Float64Array>(got, 'iterations')),
      validation: grown(held?.validation, 1, first, data<Float32Array>(got, 'validation_error')),
      training: grown(held?.training, 1, first, data<Float32Array>(got, 'training_error')),
    };
  }

  async classes(run: string, held: ClassErrors | null, asking: Asking): Promise<ClassErrors> {
    const got = await frame(this.#about('classes', run, since(held)), asking);
    const { first, ...cursor } = cursorOf(got);
    const error = arrayOf(got, 'error');
    return {
      ...cursor,
      iterations: grown(held?.iterations, 1, first, data<Float64Array>(got, 'iterations')),
      error: grown(held?.error, error.shape[0], first, error.data as Uint8Array),
    };
  }

  async clusters(run: string, k: number, asking: Asking): Promise<Clusters> {
    const got = await frame(this.#about('clusters', run, { k }), asking);
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
    const got = await frame(this.#about('anomalies', run, { window, threshold }), asking);
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
    const got = await frame(this.#about('anomaly-counts', run), asking);
    return { windows: data(got, 'windows'), counts: data(got, 'counts') };
  }

  async classSamples(
    run: string,
    cls: number,
    held: ClassSamples | null,
    asking: Asking,
  ): Promise<ClassSamples> {
    const got = await frame(this.#about('class', run, { cls, ...since(held) }), asking);
    const { first, ...cursor } = cursorOf(got);
    const labels = arrayOf(got, 'labels');
    return {
      ...cursor,
      labels: grown(held?.labels, labels.shape[0], first, labels.data as Labels),
      samples: data(got, 'samples'),
      order: data(got, 'order'),
      names: (got.header['names'] ?? []) as string[],
      orderMethod: String(got.header['order_method'] ?? ''),
    };
  }

  async sample(run: string, sample: number, asking: Asking): Promise<SampleHistory> {
    const got = await frame(this.#about('sample', run, { sample }), asking);
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
    return json(this.#about('network', run), asking);
  }

  async nodeStats(run: string, measure: string, held: NodeStats | null, asking: Asking): Promise<NodeStats> {
    const got = await frame(this.#about('node-stats', run, { measure, ...since(held) }), asking);
    const { first, ...cursor } = cursorOf(got);
    return { ...cursor, measure, values: grownMatrix(held?.values, first, arrayOf(got, 'values')) };
  }

  async box(
    run: string,
    node: number,
    measure: string,
    held: BoxStats | null,
    asking: Asking,
  ): Promise<BoxStats> {
    const got = await frame(this.#about('box', run, { node, measure, ...since(held) }), asking);
    const { first, ...cursor } = cursorOf(got);
    const values = grownMatrix<Float32Array>(held?.values, first, arrayOf(got, 'values'));
    return { ...cursor, of: String(got.header['of']), values };
  }

  async filters(
    run: string,
    layer: number,
    measure: string,
    normalise: Normalisation,
    asking: Asking,
  ): Promise<FilterCells> {
    const got = await frame(this.#about('filters', run, { layer, measure, normalise }), asking);
    const { shape, data: cells, scale } = arrayOf(got, 'cells');
    return {
      layer,
      measure,
      normalise,
      filters: shape[0],
      dumps: shape[1],
      cells: cells as Uint8Array,
      lo: scale?.lo ?? 0,
      hi: scale?.hi ?? 1,
      size: data(got, 'size'),
      never: data(got, 'never'),
    };
  }

  async filterValues(run: string, layer: number, measure: string, asking: Asking): Promise<Float32Array> {
    return data(await frame(this.#about('filter-values', run, { layer, measure }), asking), 'values');
  }

  async filterOrder(
    run: string,
    layer: number,
    measure: string,
    by: Exclude<FilterOrder, 'index'>,
    asking: Asking,
  ): Promise<FilterRows> {
    const got = await frame(this.#about('filter-order', run, { layer, measure, by }), asking);
    return { order: data(got, 'order'), method: String(got.header['order_method']) };
  }

  async filter(run: string, layer: number, filter: number, asking: Asking): Promise<FilterHistory> {
    const got = await frame(this.#about('filter', run, { layer, filter }), asking);
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
    const got = await frame(this.#about('filter-rank', run, { layer, filter, measure }), asking);
    return { rank: data(got, 'rank'), filters: Number(got.header['filters']) };
  }

  async topFilters(
    run: string,
    iteration: number,
    k: number,
    measure: string,
    asking: Asking,
  ): Promise<TopFilters> {
    const got = await frame(this.#about('top-filters', run, { iteration, k, measure }), asking);
    return { layer: data(got, 'layer'), filter: data(got, 'filter'), value: data(got, 'value') };
  }

  async topCounts(run: string, k: number, measure: string, asking: Asking): Promise<TopCounts> {
    const { shape, data: counts } = arrayOf(
      await frame(this.#about('top-counts', run, { k, measure }), asking),
      'counts',
    );
    return { layers: shape[0], dumps: shape[1], counts: counts as Int32Array };
  }

  async kernels(run: string, iteration: number, asking: Asking): Promise<Kernels> {
    const got = await frame(this.#about('kernels', run, { iteration }), asking);
    const { shape, data: values } = arrayOf(got, 'values');
    return { layer: Number(got.header['layer']), shape, values: values as Float32Array };
  }

  pictureAddress(run: string, sample: number): string {
    return this.#about('picture', run, { sample });
  }

  followRuns(listener: Listener<RunList>): () => void {
    return follow(address('live', {}), 'runs', listener);
  }

  followRun(run: string, listener: Listener<LiveWord>): () => void {
    return follow(address('live', { run }), 'run', listener);
  }
}

/**
 * 1. The browser reconnects by itself after a dropped connection, but not after a refused one: that is done here.
 * 2. A hidden page lets go of its stream: a browser keeps six connections to a server over all its tabs, and streams of
 *    forgotten tabs would leave none for questions. Shown again, it is told the newest at once.
 */
function follow<T>(endpoint: string, event: string, listener: Listener<T>): () => void {
  let events: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    clearTimeout(timer);
    events?.close();
    events = null;
  };
  const open = () => {
    close();
    const opened = new EventSource(endpoint);
    events = opened;
    opened.onopen = () => listener.onConnection(true);
    opened.addEventListener(event, (message) => listener.onWord(JSON.parse(message.data as string) as T));
    opened.onerror = () => {
      listener.onConnection(false);
      if (opened.readyState === EventSource.CLOSED) timer = setTimeout(open, RECONNECT_SECONDS * 1000);
    };
  };
  const shownOrHidden = () => (document.hidden ? close() : open());
  document.addEventListener('visibilitychange', shownOrHidden);
  if (!document.hidden) open();
  return () => {
    document.removeEventListener('visibilitychange', shownOrHidden);
    close();
  };
}
