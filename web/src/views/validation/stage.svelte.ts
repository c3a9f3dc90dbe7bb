import { scoreOf } from '../../kernel/anomalies.ts';
import { nearestDump } from '../../kernel/axis.ts';
import { cellOf, countedShare, lutOf, shareOf } from '../../kernel/colour.ts';
import { levelText } from '../../kernel/detail.ts';
import { Columns, groupMeans } from '../../kernel/columns.ts';
import { layOut, pixelsRowOf, sortClasses, type Layout, type PixelsRow } from '../../kernel/layout.ts';
import type { Settings } from '../../settings.svelte.ts';
import type { ViewStore } from '../../view.svelte.ts';
import { TimeStage } from '../frame/time_stage.svelte.ts';
import type { Hover } from './hit.ts';
import {
  AXIS_HEIGHT,
  HEAD,
  largestTop,
  LEGEND_HEIGHT,
  marginsOf,
  type OpenedFacts,
  type Scene,
} from './scene.ts';
import type { ValidationData } from './validation_data.svelte.ts';

/** What the stage shows now: data and view and what the hand is doing, turned into one scene. */
export class StageState extends TimeStage {
  readonly data: ValidationData;

  /** Thumbnails on the screen that have not arrived. */
  picturesPending = $state(0);
  hover = $state.raw<Hover | null>(null);
  chartTops = $state.raw<ReadonlyMap<number, number>>(new Map());
  /** The row of each opened class that was last pointed at: its picture is shown. */
  pointedRows = $state.raw<ReadonlyMap<number, number>>(new Map());

  constructor(data: ValidationData, store: ViewStore, settings: Settings) {
    super(data.run, store, settings);
    this.data = data;
  }

  protected margins(width: number) {
    return marginsOf(width);
  }

  readonly final = $derived.by(() => {
    const error = (this.data.newest.value ?? this.data.classes.whole.value)?.error;
    const out = new Float32Array(this.data.names.length).fill(Number.NaN);
    const sizes = this.run.info.value?.class_sizes ?? [];
    for (let c = 0; error && error.length > 0 && c < error.rows; c++) {
      out[c] = countedShare(error.at(c, error.length - 1), sizes[c] ?? 0).share;
    }
    return out;
  });

  readonly clusterCells = $derived.by(() => {
    const value = this.data.clusters.value;
    if (!value) return null;
    const cells = new Uint8Array(value.curves.length);
    for (let i = 0; i < cells.length; i++) cells[i] = cellOf(value.curves[i]);
    const curves = new Columns(value.k, value.dumps, value.dumps, cells);
    // Clusters of a live run are asked for less often than errors: the newest dumps follow from the classes, where
    // these have a column for each.
    const classes = this.data.classes.whole.value;
    if (!classes || classes.detail.level > 1 || classes.error.length <= value.dumps) return curves;
    return curves.splice(value.dumps, groupMeans(classes.error, value.assignment, value.k, value.dumps));
  });

  /** The errors of all classes that are drawn: the finest that are here of the dumps that are shown. */
  readonly classErrors = $derived.by(() => this.data.classes.over(this.zoom));
  readonly level = $derived.by(() => (this.classErrors ? levelText(this.classErrors.detail) : ''));

  readonly #score = $derived.by(() => {
    const out = new Float32Array(this.data.names.length);
    for (const [cls, list] of this.data.anomaliesByClass ?? []) out[cls] = Math.max(...list.map(scoreOf));
    return out;
  });

  readonly #place = $derived.by(() => {
    const out = new Int32Array(this.data.names.length);
    this.data.clusters.value?.order.forEach((cls, place) => (out[cls] = place));
    return out;
  });

  /** All classes of each cluster, in the chosen order. */
  readonly #members: number[][] = $derived.by(() => {
    const value = this.data.clusters.value;
    // Until they are known, empty clusters keep the place of those to come.
    const none = this.data.clusters.failure !== null || !this.run.hasPredictions;
    if (!value) return Array.from({ length: none ? 0 : this.store.v.k }, () => []);
    const groups: number[][] = Array.from({ length: value.k }, () => []);
    value.assignment.forEach((cluster, cls) => groups[cluster]?.push(cls));
    const facts = { names: this.data.names, final: this.final, score: this.#score, place: this.#place };
    return groups.map((classes) => sortClasses(classes, this.#sort, facts));
  });
  readonly #sort = $derived.by(() => this.store.v.sort);
  readonly #only = $derived.by(() => this.store.v.only && this.store.v.anomalies);

  /** The classes that all views are restricted to; empty where they are not. */
  readonly #restricted = $derived.by(() => new Set(this.store.v.onlyClasses));

  readonly #shown = $derived.by(() => {
    const found = this.#only ? this.data.anomaliesByClass : null;
    const restricted = this.#restricted;
    const isShown = (cls: number) =>
      (!found || found.has(cls)) && (restricted.size === 0 || restricted.has(cls));
    return this.#members.map((classes) => classes.filter(isShown));
  });

  readonly clusterFacts = $derived.by(() =>
    this.#members.map((classes, cluster) => ({
      classes: classes.length,
      shown: this.#shown[cluster].length,
      final: this.#clusterFinal(cluster),
      anomalies: classes.reduce((sum, cls) => sum + (this.data.anomaliesByClass?.get(cls)?.length ?? 0), 0),
    })),
  );

  #clusterFinal(cluster: number): number {
    const value = this.data.clusters.value;
    const cells = this.clusterCells;
    if (!value || !cells) return Number.NaN;
    return cells.length > value.dumps ? shareOf(cells.at(cluster, cells.length - 1)) : value.final[cluster];
  }

  readonly bodyHeight = $derived.by(
    () => this.height - HEAD.height - AXIS_HEIGHT - (this.legend ? LEGEND_HEIGHT : 0) - 4,
  );

  readonly layout: Layout = $derived.by(() => {
    const v = this.store.v;
    const clusters = new Set(v.clusters);
    const classes = new Set(v.classes);
    return layOut({
      clusters: this.#shown,
      isClusterOpen: (cluster) => clusters.has(cluster),
      isClassOpen: (cls) => classes.has(cls),
      isRestricted: this.#restricted.size > 0,
      opened: (cls) => this.#sizesOf(cls),
      rowHeight: v.rowHeight,
      maxChartHeight: Math.max(120, Math.round(this.bodyHeight * 0.72)),
    });
  });

  #sizesOf(cls: number): { samples: number; taken: number } | null {
    const entry = this.data.opened.get(cls);
    const samples = entry?.samples.whole.value?.samples.length ?? this.run.info.value?.class_sizes[cls];
    if (samples === undefined) return null;
    const taken = entry?.taken.whole.value;
    if (!taken) return { samples, taken: 0 };
    const others = taken.counts[taken.labels.length].some((count) => count > 0);
    return { samples, taken: taken.labels.length + (others ? 1 : 0) };
  }

  readonly maxScroll = $derived.by(() => Math.max(0, this.layout.height - this.bodyHeight));

  readonly #luts = $derived.by(() => {
    const theme = this.settings.theme;
    return {
      errorLut: lutOf(theme.errorRamp),
      pixelLut: lutOf([theme.correct, theme.incorrect]),
      countLut: lutOf(theme.countRamp),
    };
  });

  readonly #opened = $derived.by(() => {
    const { rows } = this.store.v;
    return new Map([...this.data.opened].map(([cls, entry]) => [cls, entry.facts(this.zoom, rows)]));
  });

  openedFacts(cls: number): OpenedFacts | null {
    return this.#opened.get(cls) ?? null;
  }

  chartTop(row: PixelsRow): number {
    return Math.min(this.chartTops.get(row.cls) ?? 0, largestTop(row));
  }

  setChartTop(row: PixelsRow, top: number): void {
    const next = new Map(this.chartTops);
    next.set(row.cls, Math.max(0, Math.min(largestTop(row), top)));
    this.chartTops = next;
  }

  pointAtRow(cls: number, position: number): void {
    if (this.pointedRows.get(cls) === position) return;
    this.pointedRows = new Map(this.pointedRows).set(cls, Math.max(0, position));
  }

  readonly scene: Scene | null = $derived.by(() => {
    const overall = this.run.overall.value;
    if (!overall || this.run.dumps === 0 || this.width === 0) return null;
    return this.sceneOf(Math.min(this.scroll, this.maxScroll), this.height, this.bodyHeight);
  });

  /** The scene at another scroll and height: an exported picture shows all rows. */
  sceneOf(scroll: number, height: number, body: number): Scene {
    const { data } = this;
    const held = this.chartTops;
    const opened = this.#opened;
    return {
      theme: this.settings.theme,
      ...this.#luts,
      width: this.width,
      height,
      axis: this.axis,
      axisY: HEAD.height + Math.min(this.layout.height, Math.max(0, body)),
      scroll,
      layout: this.layout,
      view: this.asked,
      overall: data.run.overall.value as NonNullable<typeof data.run.overall.value>,
      stages: data.run.info.value?.lr_stages ?? [],
      names: data.names,
      classErrors: this.classErrors,
      level: this.level,
      clusterCells: this.clusterCells,
      clusterFacts: this.clusterFacts,
      final: this.final,
      anomalies: data.anomaliesByClass,
      opened: (cls) => opened.get(cls) ?? null,
      chartTop: (cls) => {
        const row = held.has(cls) ? pixelsRowOf(this.layout, cls) : null;
        return row ? this.chartTop(row) : 0;
      },
    };
  }

  /** Where the selected sample is drawn. */
  readonly selected = $derived.by(() => {
    const sample = this.store.v.sample;
    if (sample === null) return null;
    const cls = this.data.classOf(sample);
    const entry = this.data.opened.get(cls);
    const at = entry?.samples.whole.value?.samples.indexOf(sample) ?? -1;
    if (!entry || at < 0) return null;
    return { cls, position: entry.order(this.store.v.rows).indexOf(at) };
  });

  readonly anomalyDump = $derived.by(() => {
    const anomaly = this.store.v.anomaly;
    return anomaly ? nearestDump(this.run.iterations, anomaly[1]) : -1;
  });
}
