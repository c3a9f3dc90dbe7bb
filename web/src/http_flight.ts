import { Columns } from './kernel/columns.ts';
import type { Detail, Range } from './kernel/detail.ts';
import { arrayOf } from './kernel/frame.ts';
import { FLIGHT_MEASURES } from './kernel/measures.ts';
import type { NetworkAnswer } from './kernel/network.ts';
import type { Normalisation } from './kernel/view_state.ts';
import { data, grownMatrix } from './http_columns.ts';
import { frame, json, type Query } from './http.ts';
import { HttpSource } from './http_source.ts';
import type { Asking, Cursor, FilterCells, FilterHistory, NodeStats, Overall } from './source.ts';

/**
 * The iterations before a dump, in place of the dumps of the run: what the Layer view asks is answered of them.
 *
 * A flight was written once, so nothing of it grows, and there are never more of its iterations than columns on a screen.
 */
export class HttpFlight extends HttpSource {
  readonly #dump: number;

  constructor(dump: number) {
    super();
    this.#dump = dump;
  }

  #of(route: string, run: string, query: Query = {}): string {
    return this.about(route, run, { dump: this.#dump, ...query });
  }

  override async overall(run: string, _: Overall | null, asking: Asking): Promise<Overall> {
    const { iterations } = await json<{ iterations: number[] }>(this.#of('flight', run), asking);
    const unknown = () => Columns.of(1, new Float32Array(iterations.length).fill(Number.NaN));
    return {
      ...NEVER_GROWS,
      iterations: Columns.of(1, Float64Array.from(iterations)),
      validation: unknown(),
      training: unknown(),
    };
  }

  override async network(run: string, asking: Asking): Promise<NetworkAnswer> {
    const measures = { node_measures: FLIGHT_MEASURES, filter_measures: FLIGHT_MEASURES };
    return { ...(await super.network(run, asking)), ...measures, kernel_layer: null };
  }

  override async nodeStats(
    run: string,
    measure: string,
    _range: Range | null,
    _held: NodeStats | null,
    asking: Asking,
  ): Promise<NodeStats> {
    const block = arrayOf(await frame(this.#of('flight-nodes', run, { measure }), asking), 'values');
    const values = grownMatrix<Float32Array>(undefined, 0, block);
    return { ...NEVER_GROWS, measure, detail: all(values), values, lowest: values, highest: values };
  }

  override async filters(
    run: string,
    layer: number,
    measure: string,
    normalise: Normalisation,
    _range: Range | null,
    asking: Asking,
  ): Promise<FilterCells> {
    const got = await frame(this.#of('flight-filters', run, { layer, measure, normalise }), asking);
    const block = arrayOf(got, 'cells');
    const cells = grownMatrix<Uint8Array>(undefined, 0, block);
    return {
      ...NEVER_GROWS,
      layer,
      measure,
      normalise,
      detail: all(cells),
      cells,
      lo: block.scale?.lo ?? 0,
      hi: block.scale?.hi ?? 1,
      size: data(got, 'size'),
      never: new Int32Array(0),
    };
  }

  override async filterValues(
    run: string,
    layer: number,
    measure: string,
    asking: Asking,
  ): Promise<Float32Array> {
    return data(await frame(this.#of('flight-filters', run, { layer, measure }), asking), 'values');
  }

  override async filter(run: string, layer: number, filter: number, asking: Asking): Promise<FilterHistory> {
    const got = await frame(this.#of('flight-filter', run, { layer, filter }), asking);
    const values = grownMatrix<Float32Array>(undefined, 0, arrayOf(got, 'values'));
    return { layer, filter, measures: got.header['measures'] as string[], values };
  }
}

const NEVER_GROWS: Cursor = { iteration: -1, branch: 0 };

/** Every iteration has a column. */
function all({ length }: Columns<never> | Columns<Float32Array> | Columns<Uint8Array>): Detail {
  return { level: 1, first: 0, end: length };
}
