import { cursorOf, data } from './http_columns.ts';
import type { Query } from './http.ts';
import { arrayOf, type Frame } from './kernel/frame.ts';
import { encodeList } from './kernel/link_values.ts';
import type {
  Correlation,
  CorrelationExtent,
  CorrelationRows,
  CorrelationRowsBy,
  CorrelationSettings,
  Highest,
} from './source.ts';

/** Iterations travel as the first and the last one that count. */
export function correlationQuery(settings: CorrelationSettings): Query {
  const { iterations, classes, layers, above } = settings;
  return {
    window: settings.window,
    threshold: settings.threshold,
    rule: settings.rule,
    ...(above === null ? { top: settings.top } : { above }),
    measure: settings.measure,
    min_appearances: settings.minAppearances,
    significant: settings.significant ? 1 : 0,
    first: iterations?.[0],
    last: iterations ? iterations[1] - 1 : undefined,
    classes: classes ? encodeList(classes) : undefined,
    layers: layers ? encodeList(layers) : undefined,
  };
}

export function correlationOf(got: Frame, settings: CorrelationSettings): Correlation {
  return {
    ...cursorOf(got),
    settings,
    classes: data(got, 'class'),
    classOffsets: data(got, 'class_offsets'),
    columnDump: data(got, 'column_dump'),
    columnLeft: data(got, 'column_left'),
    columnRight: data(got, 'column_right'),
    layers: data(got, 'layer'),
    layerOffsets: data(got, 'layer_offsets'),
    filters: data(got, 'filter'),
    filterSet: data(got, 'filter_set'),
    setLayer: data(got, 'set_layer'),
    setSize: data(got, 'set_size'),
    setId: data(got, 'set_id'),
    appearanceSet: data(got, 'appearance_set'),
    appearanceDump: data(got, 'appearance_dump'),
    pairSet: data(got, 'pair_set'),
    pairClass: data(got, 'pair_class'),
    pairHits: data(got, 'pair_hits'),
    pairP: data(got, 'pair_p'),
    pairQ: data(got, 'pair_q'),
    counts: data(got, 'counts'),
    extent: got.header['extent'] as CorrelationExtent,
    level: Number(got.header['level']),
    highest: (got.header['highest'] ?? null) as Highest | null,
    dumps: Number(got.header['dumps']),
  };
}

export function correlationRowsOf(
  got: Frame,
  settings: CorrelationSettings,
  by: CorrelationRowsBy,
): CorrelationRows {
  const { shape, data: cells } = arrayOf(got, 'cells');
  const { level = 1, from = 0, dumps } = got.header as { level?: number; from?: number; dumps: number };
  return {
    ...cursorOf(got),
    settings,
    by,
    detail: { level, first: from, end: Math.min(from + shape[1] * level, dumps) },
    dumps,
    rows: shape[0],
    columns: shape[1],
    cells: cells as Uint8Array,
  };
}
