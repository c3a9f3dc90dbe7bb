import type { ConfusionSource } from './confusion_source.ts';
import type { AnomalyTable } from './kernel/anomalies.ts';
import type { AnomalyCounts } from './kernel/anomaly_counts.ts';
import type { Columns } from './kernel/columns.ts';
import type { CorrelationTable } from './kernel/correlation.ts';
import type { Detail, Range } from './kernel/detail.ts';
import type { FlightSummary } from './kernel/flights.ts';
import type { NetworkAnswer } from './kernel/network.ts';
import type { Labels, RuleCounts } from './kernel/predictions.ts';
import type { Suggestions } from './kernel/suggested.ts';
import type { Experiment } from './kernel/experiments.ts';
import type { Findings } from './kernel/findings.ts';
import type { FilterOrder, Normalisation, Rule } from './kernel/view_state.ts';
import type { Span } from './kernel/link_values.ts';

/**
 * Where do the data come from? From anything that answers these questions: the server, an exported file, a notebook.
 * What grows with a live run takes what is already held and returns it grown. What is given in levels of detail takes a
 * range of dumps and in how many columns to give it; null: every dump.
 */
export type RunState = 'live' | 'finished' | 'failed' | 'stopped' | 'unreadable';

export interface RunSummary {
  readonly id: string;
  readonly name: string;
  readonly state: RunState;
  readonly created: string;
  readonly updated: string;
  readonly dumps: number;
  readonly iteration: number;
  readonly classes: number;
  readonly samples: number;
  readonly layers: number;
  readonly filters: number;
  readonly validation_error: number | null;
  readonly training_error: number | null;
  readonly curve: readonly (number | null)[];
  readonly problem: string | null;
}

export interface RunList {
  readonly root: string;
  readonly runs: readonly RunSummary[];
}

export interface LearningRateStage {
  readonly first: number;
  readonly last: number;
  readonly lr: number;
  readonly lr_end: number;
}

export interface RunInfo extends RunSummary {
  readonly config: Readonly<Record<string, unknown>>;
  readonly class_names: readonly string[];
  readonly class_sizes: readonly number[];
  readonly every: string;
  /** A name for all that is said of a run which has ended; null while it may grow. */
  readonly version: string | null;
  readonly next_iteration: number | null;
  readonly lr_stages: readonly LearningRateStage[];
  readonly branch: number;
  /** All there are: one more for each time that training was resumed, from iteration `start`. */
  readonly branches: readonly { readonly start: number }[];
  readonly warnings: readonly string[];
  readonly has_pictures: boolean;
  readonly has_predictions: boolean;
  readonly exception: string | null;
  /** Which finding a rule of `stop_on` has ended training for. */
  readonly stopped: string | null;
}

/** What every growing answer carries. */
export interface Cursor {
  readonly iteration: number;
  readonly branch: number;
}

export interface Overall extends Cursor {
  readonly iterations: Columns<Float64Array>;
  readonly validation: Columns<Float32Array>;
  readonly training: Columns<Float32Array>;
}

/** What is given in columns that may stand for several dumps each. */
export interface Detailed extends Cursor {
  readonly detail: Detail;
}

/** Of each class the mean of each column, and its highest dump. */
export interface ClassErrors extends Detailed {
  readonly error: Columns<Uint8Array>;
  readonly highest: Columns<Uint8Array>;
}

/** The samples of a class: of each the share of a column's dumps at which it was wrong, as cells. */
export interface ClassSamples extends Detailed, RuleCounts {
  readonly error: Columns<Uint8Array>;
  /** The predicted classes; null where a column is more than a dump. */
  readonly labels: Columns<Labels> | null;
  readonly samples: Int32Array;
  /** Rows in similarity order, which follows from all dumps. */
  readonly order: Int32Array;
  readonly names: readonly string[];
  readonly orderMethod: string;
}

/** What was predicted of the samples of a class at every dump. */
export interface ClassLabels extends Cursor {
  readonly labels: Columns<Labels>;
  readonly samples: Int32Array;
  readonly names: readonly string[];
}

/** What the samples of a class are taken for. */
export interface TakenFor extends Detailed {
  /** The wrong classes that are predicted most often at all dumps of the run, the most frequent first. */
  readonly labels: Int32Array;
  /** counts[i][column]: how often labels[i] is predicted, over samples and dumps; one more row for all other wrong classes. */
  readonly counts: readonly Int32Array[];
  /** How often any class is. */
  readonly known: Int32Array;
}

export interface Clusters {
  readonly k: number;
  readonly assignment: Int32Array;
  readonly curves: Float32Array;
  readonly dumps: number;
  readonly order: Int32Array;
  readonly final: readonly number[];
  readonly orderMethod: string;
}

export interface Highest {
  readonly score: number;
  readonly class: number;
  readonly dump: number;
  readonly rule: string;
}

export interface Anomalies {
  readonly window: number;
  /** A share, 0..1. */
  readonly threshold: number;
  readonly table: AnomalyTable;
  readonly highest: Highest | null;
}

export interface SampleHistory {
  readonly iterations: Float64Array;
  readonly labels: Int32Array;
  readonly probability: Float32Array;
  readonly loss: Float32Array;
  readonly label: number;
  readonly name: string;
  readonly hasPicture: boolean;
}

/** One measure of every node of the hierarchy: a row a node, in the network's order; means, and what they lie between. */
export interface NodeStats extends Detailed {
  readonly measure: string;
  readonly values: Columns<Float32Array>;
  readonly lowest: Columns<Float32Array>;
  readonly highest: Columns<Float32Array>;
}

/** Minimum, quartiles, median and maximum of one node, in five rows. */
export interface BoxStats extends Cursor {
  /** What is distributed: `filters` (their values of the measure), `weights` or `gradients`. */
  readonly of: string;
  readonly values: Columns<Float32Array>;
}

/** A layer's filters, as colours: of each column the value that is furthest from 0. */
export interface FilterCells extends Detailed {
  readonly layer: number;
  readonly measure: string;
  readonly normalise: Normalisation;
  readonly cells: Columns<Uint8Array>;
  /** What the smallest and largest cell stand for, as shares of `size`. */
  readonly lo: number;
  readonly hi: number;
  /** Of each filter, of each column, or of all: a value is its cell's share times this. */
  readonly size: Float32Array;
  /** Filters that never change. */
  readonly never: Int32Array;
}

export interface FilterRows {
  readonly order: Int32Array;
  readonly method: string;
}

/** One filter: all its measures over all dumps, row by row. */
export interface FilterHistory {
  readonly layer: number;
  readonly filter: number;
  readonly measures: readonly string[];
  readonly values: Columns<Float32Array>;
}

/** A filter's place among all filters of the network at each dump, 1 for the largest value; 0 where it has none. */
export interface FilterRank {
  readonly rank: Int32Array;
  readonly filters: number;
}

export interface TopFilters {
  readonly layer: Int32Array;
  readonly filter: Int32Array;
  readonly value: Float32Array;
}

/** How many of the most changed filters lie in each layer, at each dump. */
export interface TopCounts {
  readonly layers: number;
  readonly dumps: number;
  readonly counts: Int32Array;
}

/** The weights of the first convolution at one dump: (filters, channels, height, width). */
export interface Kernels {
  readonly layer: number;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** What is asked of filters and classes together. Of the restrictions null means none. */
export interface CorrelationSettings {
  /** In dumps. */
  readonly window: number;
  /** A share, 0..1. */
  readonly threshold: number;
  readonly rule: Rule;
  /** Anomaly filters are those that moved the most, so many; or, where it is given, all that moved further than `above`. */
  readonly top: number;
  readonly above: number | null;
  readonly measure: string;
  readonly minAppearances: number;
  /** Only pairs that chance does not explain. */
  readonly significant: boolean;
  /** Iterations [a, b). */
  readonly iterations: Span | null;
  readonly classes: readonly number[] | null;
  readonly layers: readonly number[] | null;
}

/** How much there is in the whole run, whatever is left out. */
export interface CorrelationExtent {
  readonly iterations: number;
  readonly classes: number;
  readonly layers: number;
  readonly filters: number;
  readonly sets: number;
  /** Pairs of a mini-set and a class that were tested. */
  readonly tests: number;
}

/** Anomaly filters, divided into mini-sets, against the anomaly iterations of classes. */
export interface Correlation extends Cursor, CorrelationTable {
  readonly settings: CorrelationSettings;
  readonly extent: CorrelationExtent;
  /** The highest score of the run with this window; null where there is none. */
  readonly highest: Highest | null;
  readonly dumps: number;
}

/** What a row of the Layer view's face stands for. */
export type CorrelationRowsBy = 'filter' | 'set' | 'layer';

/** How far anomaly filters moved, in the order of `Correlation`: a row for each filter, mini-set, or layer. */
export interface CorrelationRows extends Detailed {
  readonly settings: CorrelationSettings;
  readonly by: CorrelationRowsBy;
  readonly dumps: number;
  readonly rows: number;
  readonly columns: number;
  /** (rows, columns), row by row: 0 missing, 1..255 shares of the farthest that the filter ever moved, 0..1. */
  readonly cells: Uint8Array;
}

export interface LiveWord {
  readonly dumps: number;
  readonly iteration: number;
  readonly branch: number;
  readonly state: RunState;
  readonly updated: string;
}

export interface Listener<T> {
  readonly onWord: (word: T) => void;
  readonly onConnection: (connected: boolean) => void;
}

export interface Asking {
  readonly signal: AbortSignal;
  /** Bytes received so far. */
  readonly onProgress?: (bytes: number) => void;
}

export interface DataSource {
  runs(asking: Asking): Promise<RunList>;
  run(run: string, asking: Asking): Promise<RunInfo>;
  overall(run: string, held: Overall | null, asking: Asking): Promise<Overall>;
  classes(run: string, range: Range | null, held: ClassErrors | null, asking: Asking): Promise<ClassErrors>;
  clusters(run: string, k: number, asking: Asking): Promise<Clusters>;
  anomalies(run: string, window: number, threshold: number, asking: Asking): Promise<Anomalies>;
  anomalyCounts(run: string, asking: Asking): Promise<AnomalyCounts>;
  suggestions(run: string, asking: Asking): Promise<Suggestions>;
  findings(run: string, asking: Asking): Promise<Findings>;
  /** What inactivating filters did, the newest first. */
  experiments(run: string, asking: Asking): Promise<readonly Experiment[]>;
  /** `window`, in dumps, is that of the rules of anomalies. */
  classSamples(
    run: string,
    cls: number,
    window: number,
    range: Range,
    held: ClassSamples | null,
    asking: Asking,
  ): Promise<ClassSamples>;
  classLabels(run: string, cls: number, held: ClassLabels | null, asking: Asking): Promise<ClassLabels>;
  takenFor(run: string, cls: number, range: Range, asking: Asking): Promise<TakenFor>;
  sample(run: string, sample: number, asking: Asking): Promise<SampleHistory>;
  network(run: string, asking: Asking): Promise<NetworkAnswer>;
  nodeStats(
    run: string,
    measure: string,
    range: Range | null,
    held: NodeStats | null,
    asking: Asking,
  ): Promise<NodeStats>;
  box(run: string, node: number, measure: string, held: BoxStats | null, asking: Asking): Promise<BoxStats>;
  filters(
    run: string,
    layer: number,
    measure: string,
    normalise: Normalisation,
    range: Range | null,
    asking: Asking,
  ): Promise<FilterCells>;
  /** The values behind the colours: (filters, dumps), row by row. */
  filterValues(run: string, layer: number, measure: string, asking: Asking): Promise<Float32Array>;
  filterOrder(
    run: string,
    layer: number,
    measure: string,
    by: Exclude<FilterOrder, 'index'>,
    asking: Asking,
  ): Promise<FilterRows>;
  filter(run: string, layer: number, filter: number, asking: Asking): Promise<FilterHistory>;
  filterRank(
    run: string,
    layer: number,
    filter: number,
    measure: string,
    asking: Asking,
  ): Promise<FilterRank>;
  topFilters(run: string, iteration: number, k: number, measure: string, asking: Asking): Promise<TopFilters>;
  topCounts(run: string, k: number, measure: string, asking: Asking): Promise<TopCounts>;
  kernels(run: string, iteration: number, asking: Asking): Promise<Kernels>;
  /** The dumps before which every single iteration was kept. */
  flights(run: string, asking: Asking): Promise<readonly FlightSummary[]>;
  /** The same questions, answered of these iterations as if each had a dump. */
  flight(dump: number): Promise<DataSource>;
  /** What is asked of which class is taken for which; its code comes when it is first asked for. */
  confusion(): Promise<ConfusionSource>;
  /** Ids of the training samples in the batch of one of them. */
  flightBatch(run: string, dump: number, iteration: number, asking: Asking): Promise<readonly string[]>;
  correlation(run: string, settings: CorrelationSettings, asking: Asking): Promise<Correlation>;
  correlationRows(
    run: string,
    settings: CorrelationSettings,
    by: CorrelationRowsBy,
    range: Range | null,
    asking: Asking,
  ): Promise<CorrelationRows>;
  pictureAddress(run: string, sample: number): string;
  /** Both return the function that ends the listening. */
  followRuns(listener: Listener<RunList>): () => void;
  followRun(run: string, listener: Listener<LiveWord>): () => void;
}

/** Why a question was not answered, in the server's own words where it had any. */
export class SourceError extends Error {
  constructor(
    message: string,
    readonly endpoint: string,
    readonly status: number,
    readonly remedy: string,
  ) {
    super(message);
  }
}
