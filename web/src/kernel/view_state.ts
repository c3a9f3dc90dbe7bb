import type { ClassOrder } from './layout.ts';
import { FILTER_DISTANCES, FLIGHT_MEASURES } from './measures.ts';
import type { RowOrder } from './predictions.ts';
import {
  clamped,
  decodeCell,
  decodeIds,
  decodeList,
  decodeSpan,
  encodeCell,
  encodeId,
  encodeList,
  findingKey,
  measure,
  natural,
  oneOf,
  positive,
  within,
  type Span,
} from './link_values.ts';

/**
 * What does a link hold? Everything that is chosen on the screen, nothing that is merely hovered.
 *
 * `encode` and `decode` are pure: defaults are left out, lists of numbers are written as ranges (3-5.40), every number is
 * clamped, unknown values become the default, and nothing throws. Iterations are those of the training.
 */

/** In the order of their keys, 1 and on. */
export const VIEWS = ['validation', 'layers', 'correlation', 'cube', 'confusion'] as const;
export type ViewName = (typeof VIEWS)[number];
export type ChartKind = 'line' | 'horizon' | 'box';
export type Normalisation = 'filter' | 'iteration' | 'global';
export type FilterOrder = 'index' | 'similarity' | 'activity';
export type SpineColour = 'kind' | 'value';
/** Three skewed faces, the same three unskewed, layers beside correlation, or classes above it. */
export type CubeLayout = 'cube' | 'flat' | 'front' | 'top';
/** What a cell of the correlation shows: the mini-sets in it, or how many filters. */
export type CorrelationCells = 'sets' | 'counts';
/** How the classes of the confusion matrix are ordered; `confusion`: those taken for each other side by side. */
export type MatrixOrder = 'cluster' | 'name' | 'error' | 'confusion';
/** Which rules make an iteration an anomaly iteration. */
export type Rule = 'either' | 'left' | 'right';

export interface View {
  readonly run: string | null;
  readonly view: ViewName;
  /** Clusters. */
  readonly k: number;
  /** Anomaly window in dumps and threshold in per cent; null for what is suggested (suggested.ts). */
  readonly win: number | null;
  readonly th: number | null;
  readonly anomalies: boolean;
  readonly only: boolean;
  readonly sort: ClassOrder;
  readonly clusters: readonly number[];
  readonly classes: readonly number[];
  /** Zoomed and brushed iterations, [a, b). */
  readonly zoom: Span | null;
  readonly brush: Span | null;
  readonly marks: readonly number[];
  readonly sample: number | null;
  /** Selected anomaly: class and iteration. */
  readonly anomaly: Span | null;
  readonly rows: RowOrder;
  readonly rowHeight: number;
  /** The measure of the charts, how it is drawn, and whether each chart has a scale of its own. */
  readonly stat: string;
  readonly chart: ChartKind;
  readonly bands: number;
  readonly ownScale: boolean;
  /** Modules and layers that have a chart (places in the hierarchy); null for those that are shown first. */
  readonly nodes: readonly number[] | null;
  /** Layers that are unfolded into their filters: measure, normalisation, order and height of the rows (0: all fit). */
  readonly layers: readonly number[];
  readonly filterStat: string;
  readonly norm: Normalisation;
  readonly filterRows: FilterOrder;
  readonly filterHeight: number;
  /** Selected filter: layer and number. */
  readonly filter: Span | null;
  readonly spine: SpineColour;
  /** How many of the most changed filters count; 0 for no such restriction. */
  readonly top: number;
  /** The network's graph is popped out. */
  readonly graph: boolean;
  /** The dump (iteration) whose flight is shown in place of the run: the measure in it, and iterations [a, b). */
  readonly flight: number | null;
  readonly flightStat: string;
  readonly flightZoom: Span | null;
  /** Which filters are anomaly filters at which iterations: by which distance, further than what instead of `top`. */
  readonly rule: Rule;
  readonly distance: string;
  readonly above: number | null;
  /** Mini-sets that appear at fewer iterations are left out, and what chance explains. */
  readonly appears: number;
  readonly significant: boolean;
  /** All views are restricted to these classes and layers; empty: to none. */
  readonly onlyClasses: readonly number[];
  readonly onlyLayers: readonly number[];
  readonly layout: CubeLayout;
  readonly cells: CorrelationCells;
  /** Pinned mini-sets, by their ids, and classes. */
  readonly minis: readonly number[];
  readonly pinnedClasses: readonly number[];
  /** Depth of the cube in thousandths of the stage's width and height; null until it is dragged. */
  readonly depth: Span | null;
  /** The list of findings is open: the key of the one that is looked at, or ALL_FINDINGS. */
  readonly finding: string | null;
  /** The iteration that the confusion matrix shows, null for the newest; and another that it is compared with. */
  readonly at: number | null;
  readonly to: number | null;
  readonly matrixOrder: MatrixOrder;
  /** Selected cell of the matrix: the true class, and the predicted one or none (UNDEFINED, MISSING). */
  readonly cell: Span | null;
}

export const DEFAULTS: View = {
  run: null,
  view: 'validation',
  k: 4,
  win: null,
  th: null,
  anomalies: true,
  only: false,
  sort: 'hardest',
  clusters: [],
  classes: [],
  zoom: null,
  brush: null,
  marks: [],
  sample: null,
  anomaly: null,
  rows: 'similarity',
  rowHeight: 3,
  stat: 'mean',
  chart: 'horizon',
  bands: 3,
  ownScale: false,
  nodes: null,
  layers: [],
  filterStat: 'change',
  norm: 'filter',
  filterRows: 'index',
  filterHeight: 0,
  filter: null,
  spine: 'kind',
  top: 0,
  graph: false,
  flight: null,
  flightStat: 'grad_l2',
  flightZoom: null,
  rule: 'either',
  distance: 'change',
  above: null,
  appears: 1,
  significant: false,
  onlyClasses: [],
  onlyLayers: [],
  layout: 'cube',
  cells: 'sets',
  minis: [],
  pinnedClasses: [],
  depth: null,
  finding: null,
  at: null,
  to: null,
  matrixOrder: 'cluster',
  cell: null,
};

/** Into the flight before a dump, and out of it. */
export function intoFlight(dump: number): Partial<View> {
  return { view: 'layers', flight: dump, flightZoom: null };
}

export const OUT_OF_FLIGHT: Partial<View> = { flight: null, flightZoom: null };

export const BOUNDS = {
  k: [2, 12],
  win: [1, 60],
  th: [0, 100],
  rowHeight: [1, 8],
  bands: [1, 6],
  filterHeight: [0, 8],
  top: [0, 1000],
  appears: [1, 60],
} as const;
export const CHARTS: readonly ChartKind[] = ['line', 'horizon', 'box'];
export const NORMALISATIONS: readonly Normalisation[] = ['filter', 'iteration', 'global'];
export const FILTER_ORDERS: readonly FilterOrder[] = ['index', 'similarity', 'activity'];
export const LAYOUTS: readonly CubeLayout[] = ['cube', 'flat', 'front', 'top'];
export const CELLS: readonly CorrelationCells[] = ['sets', 'counts'];
export const RULES: readonly Rule[] = ['either', 'left', 'right'];
export const MATRIX_ORDERS: readonly MatrixOrder[] = ['cluster', 'name', 'error', 'confusion'];
const SPINES: readonly SpineColour[] = ['kind', 'value'];
const SORTS: readonly ClassOrder[] = ['hardest', 'name', 'score', 'similarity'];
const ROWS: readonly RowOrder[] = ['similarity', 'label', 'final'];

export function encode(view: View): string {
  const query: string[] = [];
  const put = (key: string, value: string | number | null, unless: string | number | null) => {
    if (value !== unless && value !== null)
      query.push(`${key}=${encodeURIComponent(value).replaceAll('%2F', '/')}`);
  };
  put('run', view.run, null);
  put('view', view.view, DEFAULTS.view);
  put('k', view.k, DEFAULTS.k);
  put('win', view.win, DEFAULTS.win);
  put('th', view.th, DEFAULTS.th);
  put('an', view.anomalies ? 1 : 0, 1);
  put('only', view.only ? 1 : 0, 0);
  put('sort', view.sort, DEFAULTS.sort);
  put('open', encodeList(view.clusters), '');
  put('c', encodeList(view.classes), '');
  put('it', view.zoom && view.zoom.join('-'), null);
  put('br', view.brush && view.brush.join('-'), null);
  put('mark', encodeList(view.marks), '');
  put('s', view.sample, null);
  put('a', view.anomaly && view.anomaly.join('.'), null);
  put('rows', view.rows, DEFAULTS.rows);
  put('rh', view.rowHeight, DEFAULTS.rowHeight);
  put('stat', view.stat, DEFAULTS.stat);
  put('chart', view.chart, DEFAULTS.chart);
  put('bands', view.bands, DEFAULTS.bands);
  put('own', view.ownScale ? 1 : 0, 0);
  put('n', view.nodes && encodeList(view.nodes), null);
  put('l', encodeList(view.layers), '');
  put('fstat', view.filterStat, DEFAULTS.filterStat);
  put('norm', view.norm, DEFAULTS.norm);
  put('frows', view.filterRows, DEFAULTS.filterRows);
  put('fh', view.filterHeight, DEFAULTS.filterHeight);
  put('f', view.filter && view.filter.join('.'), null);
  put('spine', view.spine, DEFAULTS.spine);
  put('top', view.top, DEFAULTS.top);
  put('graph', view.graph ? 1 : 0, 0);
  put('flight', view.flight, null);
  put('fm', view.flightStat, DEFAULTS.flightStat);
  put('fit', view.flightZoom && view.flightZoom.join('-'), null);
  put('rule', view.rule, DEFAULTS.rule);
  put('dist', view.distance, DEFAULTS.distance);
  put('above', view.above, null);
  put('min', view.appears, DEFAULTS.appears);
  put('sig', view.significant ? 1 : 0, 0);
  put('rc', encodeList(view.onlyClasses), '');
  put('rl', encodeList(view.onlyLayers), '');
  put('layout', view.layout, DEFAULTS.layout);
  put('cells', view.cells, DEFAULTS.cells);
  put('mini', view.minis.map(encodeId).join('.'), '');
  put('pc', encodeList(view.pinnedClasses), '');
  put('depth', view.depth && view.depth.join('.'), null);
  put('find', view.finding && findingKey(view.finding), null);
  put('at', view.at, null);
  put('to', view.to, null);
  put('mo', view.matrixOrder, DEFAULTS.matrixOrder);
  put('cell', view.cell && encodeCell(view.cell), null);
  return query.length ? `?${query.join('&')}` : '';
}

export function decode(search: string): View {
  const query = new URLSearchParams(search);
  const span = (key: string) => decodeSpan(query.get(key), '-', (a, b) => b > a);
  return {
    run: query.get('run') || null,
    view: oneOf(query.get('view'), VIEWS, DEFAULTS.view),
    k: clamped(query.get('k'), DEFAULTS.k, BOUNDS.k),
    win: clamped(query.get('win'), null, BOUNDS.win),
    th: clamped(query.get('th'), null, BOUNDS.th),
    anomalies: query.get('an') !== '0',
    only: query.get('only') === '1',
    sort: oneOf(query.get('sort'), SORTS, DEFAULTS.sort),
    clusters: decodeList(query.get('open')),
    classes: decodeList(query.get('c')),
    zoom: span('it'),
    brush: span('br'),
    marks: decodeList(query.get('mark')),
    sample: natural(query.get('s')),
    anomaly: decodeSpan(query.get('a'), '.', () => true),
    rows: oneOf(query.get('rows'), ROWS, DEFAULTS.rows),
    rowHeight: clamped(query.get('rh'), DEFAULTS.rowHeight, BOUNDS.rowHeight),
    stat: measure(query.get('stat'), DEFAULTS.stat),
    chart: oneOf(query.get('chart'), CHARTS, DEFAULTS.chart),
    bands: clamped(query.get('bands'), DEFAULTS.bands, BOUNDS.bands),
    ownScale: query.get('own') === '1',
    nodes: query.has('n') ? decodeList(query.get('n')) : null,
    layers: decodeList(query.get('l')),
    filterStat: measure(query.get('fstat'), DEFAULTS.filterStat),
    norm: oneOf(query.get('norm'), NORMALISATIONS, DEFAULTS.norm),
    filterRows: oneOf(query.get('frows'), FILTER_ORDERS, DEFAULTS.filterRows),
    filterHeight: clamped(query.get('fh'), DEFAULTS.filterHeight, BOUNDS.filterHeight),
    filter: decodeSpan(query.get('f'), '.', () => true),
    spine: oneOf(query.get('spine'), SPINES, DEFAULTS.spine),
    top: clamped(query.get('top'), DEFAULTS.top, BOUNDS.top),
    graph: query.get('graph') === '1',
    flight: natural(query.get('flight')),
    flightStat: oneOf<string>(query.get('fm'), FLIGHT_MEASURES, DEFAULTS.flightStat),
    flightZoom: span('fit'),
    rule: oneOf(query.get('rule'), RULES, DEFAULTS.rule),
    distance: oneOf<string>(query.get('dist'), FILTER_DISTANCES, DEFAULTS.distance),
    above: positive(query.get('above')),
    appears: clamped(query.get('min'), DEFAULTS.appears, BOUNDS.appears),
    significant: query.get('sig') === '1',
    onlyClasses: decodeList(query.get('rc')),
    onlyLayers: decodeList(query.get('rl')),
    layout: oneOf(query.get('layout'), LAYOUTS, DEFAULTS.layout),
    cells: oneOf(query.get('cells'), CELLS, DEFAULTS.cells),
    minis: decodeIds(query.get('mini')),
    pinnedClasses: decodeList(query.get('pc')),
    depth: decodeSpan(query.get('depth'), '.', (x, y) => within(x) && within(y)),
    finding: query.has('find') ? findingKey(query.get('find')) : null,
    at: natural(query.get('at')),
    to: natural(query.get('to')),
    matrixOrder: oneOf(query.get('mo'), MATRIX_ORDERS, DEFAULTS.matrixOrder),
    cell: decodeCell(query.get('cell')),
  };
}

/** Does a change belong to one control that is being stepped (so that it may share one entry of the history)? */
export function onlyChange(a: View, b: View): keyof View | null {
  const keys = (Object.keys(a) as (keyof View)[]).filter((key) => String(a[key]) !== String(b[key]));
  return keys.length === 1 ? keys[0] : null;
}
