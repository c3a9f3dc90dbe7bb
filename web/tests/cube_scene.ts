import { rootLutOf, lutOf, THEMES } from '../src/kernel/colour.ts';
import { Columns } from '../src/kernel/columns.ts';
import { CorrelationIndex } from '../src/kernel/correlation.ts';
import { cutOf, limitsOf, rowsThatFit, type Cells } from '../src/kernel/correlation_limits.ts';
import { CorrelationModel } from '../src/kernel/correlation_model.ts';
import { mixedPlacement, placementOf, type Layout, type Placement } from '../src/kernel/cube_geometry.ts';
import { DEFAULTS, type View } from '../src/kernel/view_state.ts';
import type { ClassErrors, Correlation, CorrelationRows } from '../src/source.ts';
import { glyphsOf } from '../src/views/cube/glyphs.ts';
import { classLabelsOf, layerLabelsOf } from '../src/views/cube/labels.ts';
import { rowsOf } from '../src/views/cube/question.ts';
import type { Scene } from '../src/views/cube/scene.ts';
import { randomCorrelation, SHAPE, type Shape } from './random_correlation.ts';

/** A picture of the cube of random data, without a page around it. */
export const STAGE = { width: 1388, height: 900 };

export interface Wanted {
  readonly layout?: Layout;
  /** On the way to another layout, by this share. */
  readonly to?: readonly [Layout, number];
  readonly seed?: number;
  readonly shape?: Partial<Shape>;
  readonly cells?: Cells;
  readonly zoom?: readonly [number, number];
  readonly view?: Partial<View>;
}

export function sceneOf(wanted: Wanted = {}): Scene {
  const { layout = 'cube', to, seed = 1, cells = 'sets' } = wanted;
  const shape = { ...SHAPE, ...wanted.shape };
  const table = randomCorrelation(seed, shape);
  const from = placementOf(layout, STAGE, null);
  const placement = to ? mixedPlacement(from, placementOf(to[0], STAGE, null), to[1]) : from;
  const { a, d } = placement.faces.right.matrix;
  const cut = cutOf(table);
  const model = new CorrelationModel(new CorrelationIndex(table), cut, rowsThatFit(table, cut, d).by, d);
  const zoom = wanted.zoom ?? [0, shape.dumps];
  const theme = THEMES.light;
  const placeable = {
    theme,
    ...STAGE,
    model,
    limits: limitsOf(model, cells, a, d),
    zoom,
    rows: rowsExample(table as Correlation, model, shape.dumps),
    errors: errorsExample(3 * shape.classes + 2, shape.dumps),
    changeLut: rootLutOf(theme.changeRamp, 1),
    errorLut: lutOf(theme.errorRamp),
    countLut: lutOf(theme.countRamp),
    layout: to?.[0] ?? layout,
    placement,
    sizes: { dumps: zoom[1] - zoom[0], rows: model.height, columns: model.width },
    iterations: Float64Array.from({ length: shape.dumps }, (_, dump) => dump * 100),
    axis: axisOf(placement, shape.dumps, zoom),
    axisY: placement.faces.front.matrix.f + placement.faces.front.matrix.d,
    view: { ...DEFAULTS, ...wanted.view },
    threshold: 0,
    rule: 'either' as const,
    overall: null,
    stages: [
      { first: 0, last: 9_900, lr: 0.1, lr_end: 0.1 },
      { first: 10_000, last: 20_000, lr: 0.01, lr_end: 0.01 },
    ],
    network: null,
    spine: null,
    legend: false,
    measure: 'change (relative, l2)',
    nameOf: (cls: number) => `class ${cls}`,
    layerName: (layer: number) => `layer ${layer}`,
    layerOfNode: () => null,
  };
  return {
    ...placeable,
    layerLabels: layerLabelsOf(placeable),
    classLabels: classLabelsOf(placeable),
    glyphs: glyphsOf(placeable),
  };
}

function axisOf({ chart }: Placement, dumps: number, [d0, d1]: readonly [number, number]) {
  const iterations = Float64Array.from({ length: dumps }, (_, dump) => dump * 100);
  return { iterations, d0, d1, x0: chart.x, width: chart.w };
}

function rowsExample(found: Correlation, model: CorrelationModel, dumps: number): CorrelationRows {
  const rows = rowsOf(found, model.by);
  const cells = Uint8Array.from({ length: rows * dumps }, (_, i) => 1 + ((i * 7) % 255));
  const detail = { level: 1, first: 0, end: dumps };
  return { by: model.by, rows, columns: dumps, cells, detail, dumps } as unknown as CorrelationRows;
}

function errorsExample(classes: number, dumps: number): ClassErrors {
  const cells = Uint8Array.from({ length: classes * dumps }, (_, i) => 1 + ((i * 11) % 255));
  const error = new Columns(classes, dumps, dumps, cells);
  return { error, highest: error, detail: { level: 1, first: 0, end: dumps }, iteration: 0, branch: 0 };
}
