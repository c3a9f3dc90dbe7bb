import { describe, expect, it } from 'vitest';
import {
  changeOfRun,
  flightMarks,
  flightView,
  MARK_GAP,
  nearestFlight,
  noticed,
  reasonsText,
  type FlightReason,
  type FlightSummary,
} from '../../src/kernel/flights.ts';
import { FLIGHT_MEASURES } from '../../src/kernel/measures.ts';
import {
  decode,
  DEFAULTS,
  encode,
  intoFlight,
  OUT_OF_FLIGHT,
  type View,
} from '../../src/kernel/view_state.ts';

const reason = (kind: FlightReason['kind'], iteration = 0): FlightReason => ({
  kind,
  text: 'why',
  iteration,
  class: kind === 'anomaly' ? 2 : null,
});

function flight(dump: number, reasons: FlightReason[] = [reason('loss', dump)]): FlightSummary {
  return { dump, first: dump - 9, last: dump, count: 10, reasons, has_batches: true, bytes: 1 };
}

const ENDS = [91, 100] as const;

describe('the view of a flight', () => {
  it('has the flight’s measure and zoom, and of the run’s iterations those that lie in it', () => {
    const view: View = {
      ...DEFAULTS,
      stat: 'sd',
      filterStat: 'cosine',
      flightStat: 'l2',
      zoom: [20, 500],
      flightZoom: [92, 97],
      brush: [93, 95],
      marks: [5, 91, 100, 101],
      top: 100,
      distance: 'euclidean',
      chart: 'box',
      layers: [3],
    };
    const shown = flightView(view, ENDS);
    expect(shown).toMatchObject({ stat: 'l2', filterStat: 'l2', zoom: [92, 97], brush: [93, 95] });
    expect(shown).toMatchObject({ marks: [91, 100], top: 0, distance: 'change', chart: 'line', layers: [3] });
    expect(flightView({ ...view, brush: [20, 500] }, ENDS).brush).toBeNull();
    expect(flightView({ ...view, chart: 'horizon' }, ENDS).chart).toBe('horizon');
  });

  it('changes nothing of the run’s but what both have', () => {
    const view: View = { ...DEFAULTS, marks: [5, 95, 300], zoom: [20, 500], stat: 'sd' };
    expect(changeOfRun(view, ENDS, { stat: 'l2' })).toEqual({ flightStat: 'l2' });
    expect(changeOfRun(view, ENDS, { filterStat: 'l2' })).toEqual({ flightStat: 'l2' });
    expect(changeOfRun(view, ENDS, { zoom: [92, 97], brush: null })).toEqual({
      flightZoom: [92, 97],
      brush: null,
    });
    expect(changeOfRun(view, ENDS, { zoom: null })).toEqual({ flightZoom: null });
    expect(changeOfRun(view, ENDS, { marks: [92] })).toEqual({ marks: [5, 92, 300] });
    expect(changeOfRun(view, ENDS, { layers: [1], norm: 'global' })).toEqual({ layers: [1], norm: 'global' });
  });

  it('is left as it was entered', () => {
    const before: View = { ...DEFAULTS, run: 'a', view: 'layers', zoom: [20, 500], stat: 'sd' };
    const inside = { ...before, ...intoFlight(100) };
    const used = { ...inside, ...changeOfRun(inside, ENDS, { zoom: [92, 97], stat: DEFAULTS.flightStat }) };
    expect({ ...used, ...changeOfRun(used, ENDS, OUT_OF_FLIGHT) }).toEqual(before);
    expect(changeOfRun(used, ENDS, { ...DEFAULTS })).toEqual(DEFAULTS);
  });

  it('is in the link', () => {
    const view: View = { ...DEFAULTS, run: 'a', ...intoFlight(33_600), flightStat: 'l2' };
    expect(encode(view)).toBe('?run=a&view=layers&flight=33600&fm=l2');
    expect(decode(encode(view))).toEqual(view);
    expect(decode('?flight=-3&fm=sd&fit=9-2')).toMatchObject({
      flight: null,
      flightStat: DEFAULTS.flightStat,
      flightZoom: null,
    });
    expect(FLIGHT_MEASURES).toContain(DEFAULTS.flightStat);
  });
});

describe('reasonsText', () => {
  it('names the gravest first and counts anomalies', () => {
    expect(reasonsText([reason('anomaly'), reason('loss'), reason('nan')])).toBe('NaN, loss leapt, anomaly');
    expect(reasonsText([reason('anomaly'), reason('anomaly')])).toBe('2 anomalies');
    expect(reasonsText([reason('loss'), reason('loss')])).toBe('loss leapt');
  });
});

describe('noticed', () => {
  it('is where reasons name an iteration of the flight; an anomaly is noticed at the dump', () => {
    const found = noticed(flight(100, [reason('nan', 97), reason('anomaly', 100), reason('loss', 97), reason('loss', 92)])); // prettier-ignore
    expect(found).toEqual([
      { iteration: 92, text: 'loss leapt' },
      { iteration: 97, text: 'NaN, loss leapt' },
    ]);
    expect(noticed(flight(100, [reason('loss', 40), reason('nan', 101)]))).toEqual([]);
  });
});

describe('marks of flights', () => {
  const axis = {
    iterations: Float64Array.from({ length: 100 }, (_, d) => d * 10),
    d0: 0,
    d1: 100,
    x0: 50,
    width: 500,
  };

  it('stand at the middle of their dumps', () => {
    const found = flightMarks([flight(100), flight(900)], axis);
    expect(found.map(({ x, dumps }) => [x, dumps])).toEqual([
      [50 + 10.5 * 5, [10, 11]],
      [50 + 90.5 * 5, [90, 91]],
    ]);
  });

  it('are one where they would lie on each other, and apart again when one comes nearer', () => {
    const flights = [flight(100), flight(110), flight(120), flight(400)];
    const found = flightMarks(flights, axis);
    expect(found.map((mark) => mark.flights.map(({ dump }) => dump))).toEqual([[100, 110, 120], [400]]);
    expect(found[0].dumps).toEqual([10, 13]);
    const [from, to] = found[0].dumps;
    const nearer = flightMarks(flights, { ...axis, d0: from - 1, d1: to + 1 });
    expect(nearer.map((mark) => mark.flights.length)).toEqual([1, 1, 1]);
    expect(nearer[1].x - nearer[0].x).toBeGreaterThan(MARK_GAP);
  });

  it('are only of dumps that are shown', () => {
    expect(flightMarks([flight(100), flight(400)], { ...axis, d0: 20, d1: 60 })).toHaveLength(1);
    expect(flightMarks([], axis)).toEqual([]);
  });

  it('leads to the nearest', () => {
    const flights = [flight(100), flight(400)];
    expect(nearestFlight(flights, 240)?.dump).toBe(100);
    expect(nearestFlight(flights, 260)?.dump).toBe(400);
    expect(nearestFlight([], 260)).toBeNull();
  });
});
