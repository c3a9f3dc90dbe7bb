import { centreOf, nearestDump, type Axis } from './axis.ts';
import { DEFAULTS, type View } from './view_state.ts';
import { type Span } from './link_values.ts';

/**
 * What came just before a dump that showed trouble, iteration by iteration (a flight)?
 *
 * 1. A flight is drawn as a run is: its iterations take the place of the dumps. So a view of it (`flightView`) has the
 *    flight's own measure and zoom where that of a run has the run's, and what is chosen in it (`changeOfRun`) leaves the
 *    run's alone: who goes back finds all as it was.
 * 2. What a flight has nothing of (boxes, the most changed filters) it does not show. Of brush and marks, which are real
 *    iterations everywhere, it shows those that lie in it.
 */
export interface FlightReason {
  readonly kind: 'anomaly' | 'loss' | 'nan';
  readonly text: string;
  readonly iteration: number;
  /** That of an anomaly. */
  readonly class: number | null;
}

/** What `/api/flights` says of one. */
export interface FlightSummary {
  /** Iteration of the dump that it was kept for: its name. */
  readonly dump: number;
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly reasons: readonly FlightReason[];
  readonly has_batches: boolean;
  readonly bytes: number;
}

const REASONS: Readonly<Record<FlightReason['kind'], string>> = {
  anomaly: 'anomaly',
  loss: 'loss leapt',
  nan: 'NaN',
};

/** Why it was kept, in few words: "NaN, loss leapt, 3 anomalies"; the gravest first. */
export function reasonsText(reasons: readonly FlightReason[]): string {
  const kinds = (['nan', 'loss', 'anomaly'] as const).filter((kind) => reasons.some((r) => r.kind === kind));
  return kinds.map((kind) => kindText(kind, reasons)).join(', ');
}

function kindText(kind: FlightReason['kind'], reasons: readonly FlightReason[]): string {
  const count = reasons.filter((reason) => reason.kind === kind).length;
  return kind === 'anomaly' && count > 1 ? `${count} anomalies` : REASONS[kind];
}

/** First and last iteration. */
type Ends = readonly [number, number];

function lies(span: Span | null, [first, last]: Ends): Span | null {
  return span && span[0] >= first && span[1] <= last + 1 ? span : null;
}

/** The view of a flight: that of the run, but for what belongs to the flight. */
export function flightView(view: View, ends: Ends): View {
  return {
    ...view,
    stat: view.flightStat,
    filterStat: view.flightStat,
    chart: view.chart === 'box' ? 'line' : view.chart,
    zoom: view.flightZoom,
    brush: lies(view.brush, ends),
    marks: view.marks.filter((mark) => mark >= ends[0] && mark <= ends[1]),
    top: DEFAULTS.top,
    distance: DEFAULTS.distance,
  };
}

/** What is chosen in the view of a flight, as a change of the run's. What names a flight itself goes somewhere else. */
export function changeOfRun(view: View, ends: Ends, change: Partial<View>): Partial<View> {
  if ('flight' in change) return change;
  const { stat, filterStat, zoom, marks, ...rest } = change;
  const measure = filterStat ?? stat;
  const elsewhere = view.marks.filter((mark) => mark < ends[0] || mark > ends[1]);
  return {
    ...rest,
    ...(measure === undefined ? {} : { flightStat: measure }),
    ...(zoom === undefined ? {} : { flightZoom: zoom }),
    ...(marks === undefined ? {} : { marks: [...elsewhere, ...marks].sort((a, b) => a - b) }),
  };
}

/** Flights that are marked together, as they lie too close. */
export interface FlightMark {
  readonly x: number;
  readonly flights: readonly FlightSummary[];
  /** Their dumps, [from, to). */
  readonly dumps: readonly [number, number];
}

/** Nearer than this, in pixels, flights have one mark. */
export const MARK_GAP = 14;

/** Where on the axis the dumps that have a flight are marked. */
export function flightMarks(flights: readonly FlightSummary[], axis: Axis): FlightMark[] {
  const out: FlightMark[] = [];
  for (const flight of flights) {
    const dump = nearestDump(axis.iterations, flight.dump);
    if (dump < Math.floor(axis.d0) || dump >= axis.d1) continue;
    const x = centreOf(axis, dump);
    if (x < axis.x0 || x > axis.x0 + axis.width) continue;
    const before = out[out.length - 1];
    if (before && x - before.x < MARK_GAP) {
      out[out.length - 1] = {
        x: before.x,
        flights: [...before.flights, flight],
        dumps: [before.dumps[0], dump + 1],
      };
    } else out.push({ x, flights: [flight], dumps: [dump, dump + 1] });
  }
  return out;
}

/** The flight whose dump lies nearest to an iteration; null where there is none. */
export function nearestFlight(flights: readonly FlightSummary[], iteration: number): FlightSummary | null {
  return flights.reduce<FlightSummary | null>(
    (best, one) => (best && Math.abs(best.dump - iteration) <= Math.abs(one.dump - iteration) ? best : one),
    null,
  );
}

/** Where in a flight something was noticed: the iterations that reasons name, and their words. */
export function noticed(
  flight: FlightSummary,
): readonly { readonly iteration: number; readonly text: string }[] {
  const at = new Map<number, FlightReason[]>();
  for (const reason of flight.reasons) {
    const { kind, iteration } = reason;
    if (kind === 'anomaly' || iteration < flight.first || iteration > flight.last) continue;
    at.set(iteration, [...(at.get(iteration) ?? []), reason]);
  }
  return [...at]
    .sort(([a], [b]) => a - b)
    .map(([iteration, reasons]) => ({ iteration, text: reasonsText(reasons) }));
}
