import { nearestDump, type Axis } from '../../kernel/axis.ts';
import type { Point } from '../../kernel/affine.ts';
import { lutOf, rootLutOf } from '../../kernel/colour.ts';
import { cutOf, limitsOf, rowsThatFit, type Limits } from '../../kernel/correlation_limits.ts';
import { CorrelationModel, type Cut } from '../../kernel/correlation_model.ts';
import { placementOf, type FaceName, type Layout, type Placement } from '../../kernel/cube_geometry.ts';
import { measureText } from '../../kernel/measures.ts';
import { layOutSpine, squeezed } from '../../kernel/spine.ts';
import type { Settings } from '../../settings.svelte.ts';
import type { Correlation, CorrelationRows, CorrelationRowsBy } from '../../source.ts';
import type { ViewStore } from '../../view.svelte.ts';
import { TimeStage } from '../frame/time_stage.svelte.ts';
import type { CubeData } from './cube_data.svelte.ts';
import type { Rubber } from './draw_dynamic.ts';
import { glyphsOf } from './glyphs.ts';
import type { CubeHover } from './hit.ts';
import { classLabelsOf, layerLabelsOf } from './labels.ts';
import type { CubeLook } from './question.ts';
import { rowsBox, type FaceScene, type Scene } from './scene.ts';
import { isOver, placementAt, type Transition } from './transition.ts';

/** Below this the stage is cut rather than pressed flat. */
const LEAST = { width: 440, height: 360 };
const THOUSAND = 1000;

/** What the cube shows now: data and view and what the hand is doing, turned into one scene. */
export class CubeStage extends TimeStage {
  readonly data: CubeData;

  focusFace = $state<FaceName | null>(null);
  rubber = $state.raw<Rubber | null>(null);
  /** Shares of the stage, while the far corner is dragged. */
  draftDepth = $state.raw<Point | null>(null);
  #hover = $state.raw<{ readonly at: CubeHover; readonly of: Correlation | null } | null>(null);
  #transition = $state.raw<Transition | null>(null);
  #now = $state(0);
  /** What was last drawn: a change of layout begins here. */
  drawn: Placement | null = null;

  constructor(data: CubeData, store: ViewStore, settings: Settings) {
    super(data.run, store, settings);
    this.data = data;
  }

  /** A hover names places in an answer, so it ends with it. */
  get hover(): CubeHover | null {
    const held = this.#hover;
    return held && held.of === (this.data.shown?.correlation ?? null) ? held.at : null;
  }

  set hover(at: CubeHover | null) {
    this.#hover = at && { at, of: this.data.shown?.correlation ?? null };
  }

  readonly bodyHeight = $derived.by(() => this.height);
  readonly maxScroll = 0;

  readonly layout: Layout = $derived.by(() =>
    this.store.v.view === 'correlation' ? 'right' : this.store.v.layout,
  );

  readonly depth: Point | null = $derived.by(() => {
    const { depth } = this.store.v;
    return this.draftDepth ?? (depth && [depth[0] / THOUSAND, depth[1] / THOUSAND]);
  });

  readonly #size = $derived.by(() => ({
    width: Math.max(LEAST.width, this.width),
    height: Math.max(LEAST.height, this.height),
  }));

  /** Where everything comes to rest. */
  readonly target: Placement = $derived.by(() => placementOf(this.layout, this.#size, this.depth));

  readonly placement: Placement = $derived.by(() =>
    this.#transition ? placementAt(this.#transition, this.target, this.#now) : this.target,
  );

  /** On the way from one layout to another. */
  get moving(): boolean {
    return this.#transition !== null;
  }

  beginTransition(now: number): void {
    if (!this.drawn) return;
    this.#transition = { from: this.drawn, begun: now };
    this.#now = now;
  }

  advance(now: number): void {
    if (!this.#transition) return;
    if (isOver(this.#transition, now)) this.#transition = null;
    else this.#now = now;
  }

  /** The axis that iterations are chosen on: that of the front, or down the top where there is no front. */
  protected margins(width: number) {
    const { front, top } = this.target.faces;
    const { e, a } = front.matrix;
    if (front.shown === 1) return { left: e, right: width - e - a };
    return { left: top.matrix.f, right: width - top.matrix.f - top.matrix.b };
  }

  /** How high all rows are, and how wide all columns, on the screen. */
  readonly #pixels = $derived.by(() => {
    const { a, d } = this.target.faces.right.matrix;
    return { across: a, down: d };
  });

  readonly #cuts = new WeakMap<Correlation, Cut>();

  #cutOf(found: Correlation): Cut {
    const cut = this.#cuts.get(found) ?? cutOf(found);
    this.#cuts.set(found, cut);
    return cut;
  }

  byOf(found: Correlation): CorrelationRowsBy {
    return rowsThatFit(found, this.#cutOf(found), this.#pixels.down).by;
  }

  readonly cubeLook: CubeLook = $derived.by(() => ({
    ...this.look,
    by: (found) => this.byOf(found),
  }));

  readonly model: CorrelationModel | null = $derived.by(() => {
    const { shown, index } = this.data;
    if (!shown || !index) return null;
    const by = shown.rows?.by ?? this.byOf(shown.correlation);
    return new CorrelationModel(index, this.#cutOf(shown.correlation), by, this.#pixels.down);
  });

  readonly limits: Limits | null = $derived.by(() => {
    const { across, down } = this.#pixels;
    return this.model && limitsOf(this.model, this.store.v.cells, across, down);
  });

  readonly rows: CorrelationRows | null = $derived.by(() => this.data.rowsOver(this.zoom));

  readonly #luts = $derived.by(() => {
    const { theme } = this.settings;
    return {
      changeLut: rootLutOf(theme.changeRamp, 1),
      errorLut: lutOf(theme.errorRamp),
      countLut: lutOf(theme.countRamp),
    };
  });

  readonly faces: FaceScene | null = $derived.by(() => {
    const { model, limits, zoom, data } = this;
    if (!model || !limits || this.width === 0 || this.run.dumps === 0) return null;
    return {
      theme: this.settings.theme,
      ...this.#luts,
      model,
      limits,
      zoom,
      rows: this.rows,
      errors: data.errors.over(zoom),
    };
  });

  readonly #spine = $derived.by(() => {
    const { network } = this.data;
    return network && layOutSpine(network, this.#pixels.down);
  });

  readonly scene: Scene | null = $derived.by(() => this.faces && this.sceneOf(this.faces, this.placement));

  sceneOf(faces: FaceScene, placement: Placement): Scene {
    const { run, data, zoom } = this;
    const settings = data.shown?.correlation.settings;
    const spine = this.#spine;
    const { front } = placement.faces;
    const placeable = {
      ...faces,
      ...this.#size,
      layout: this.layout,
      placement,
      sizes: { dumps: zoom[1] - zoom[0], rows: faces.model.height, columns: faces.model.width },
      iterations: run.iterations,
      axis: this.#axisOf(placement),
      axisY: front.matrix.f + front.matrix.d,
      view: this.store.v,
      threshold: settings?.threshold ?? 0,
      rule: settings?.rule ?? 'either',
      overall: run.overall.value,
      stages: run.info.value?.lr_stages ?? [],
      network: data.network,
      spine: spine && squeezed(spine, rowsBox({ placement }).h),
      legend: this.legend,
      measure: measureText(settings?.measure ?? this.store.v.distance).label,
      nameOf: (cls: number) => data.nameOf(cls),
      layerName: (layer: number) => data.layerName(layer),
      layerOfNode: (node: number) => data.network?.nodes[node].layer ?? null,
    };
    return {
      ...placeable,
      layerLabels: layerLabelsOf(placeable),
      classLabels: classLabelsOf(placeable),
      glyphs: glyphsOf(placeable),
    };
  }

  #axisOf({ chart }: Placement): Axis {
    const [d0, d1] = this.zoom;
    return { iterations: this.run.iterations, d0, d1, x0: chart.x, width: chart.w };
  }

  /** The dump that is looked at: under the pointer, else the last one that is pinned, else the newest. */
  readonly focusDump: number = $derived.by(() => {
    const dump = this.hover?.dump;
    if (dump !== null && dump !== undefined) return dump;
    const mark = this.store.v.marks[this.store.v.marks.length - 1];
    return mark === undefined ? this.run.dumps - 1 : nearestDump(this.run.iterations, mark);
  });
}
