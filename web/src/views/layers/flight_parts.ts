import { flightMarks, nearestFlight, noticed, type FlightMark } from '../../kernel/flights.ts';
import { intoFlight } from '../../kernel/view_state.ts';
import { drawFlightMark, drawNoticed, type Noticed } from '../../marks/flight_marks.ts';
import type { Surface } from '../../marks/surface.ts';
import type { LayersStage } from './layers_stage.svelte.ts';
import { FLIGHT_Y, HEAD, type Scene } from './scene.ts';

/** What the Layer view of a run that has flights has more than others: fetched once it is known that there are some. */
export { default as FlightList } from './FlightList.svelte';
export { default as FlightMarks } from './FlightMarks.svelte';

/** Where every iteration before a dump was kept; of what is shown iteration by iteration, nowhere. */
export function marksOf(stage: LayersStage): FlightMark[] {
  return stage.data.flight ? [] : flightMarks(stage.run.flights.value ?? [], stage.axis);
}

/** In a flight: where it began to go wrong. */
export function noticedOf(stage: LayersStage): readonly Noticed[] {
  const summary = stage.data.flight?.summary;
  return summary ? noticed(summary) : [];
}

export function drawFlights(
  surface: Surface,
  scene: Scene,
  marks: readonly FlightMark[],
  at: readonly Noticed[],
): void {
  const { axis, axisY, theme } = scene;
  for (const mark of marks) drawFlightMark(surface, theme, mark, FLIGHT_Y);
  drawNoticed(surface, axis, theme, at, HEAD.height - 8, axisY);
}

/** Into the flight nearest to a dump. */
export function openNearest(stage: LayersStage, dump: number): void {
  const found = nearestFlight(stage.run.flights.value ?? [], stage.run.iterations[dump] ?? 0);
  if (found && !stage.data.flight) stage.store.commit(intoFlight(found.dump));
}
