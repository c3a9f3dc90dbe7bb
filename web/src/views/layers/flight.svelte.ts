import { changeOfRun, flightView, type FlightSummary } from '../../kernel/flights.ts';
import { OUT_OF_FLIGHT, type View } from '../../kernel/view_state.ts';
import { Part } from '../../part.svelte.ts';
import type { DataSource } from '../../source.ts';
import type { ViewStore } from '../../view.svelte.ts';
import { RunData } from '../frame/run_data.svelte.ts';

/**
 * The iterations before a dump, shown in place of the run.
 *
 * `iterations` is a run to whoever draws it: its dumps are single iterations. `of` is the run itself. The batch is asked
 * for when the pointer rests.
 */
export class Flight {
  readonly of: RunData;
  readonly iterations: RunData;
  readonly dump: number;
  readonly batch = new Part<readonly string[]>();

  constructor(of: RunData, source: DataSource, dump: number) {
    this.of = of;
    this.dump = dump;
    this.iterations = new RunData(source, of.id);
  }

  /** Why it was kept, and how much there is; null until the list has come, or where it is not in it. */
  readonly summary: FlightSummary | null = $derived.by(
    () => this.of.flights.value?.find(({ dump }) => dump === this.dump) ?? null,
  );

  askBatch(iteration: number): void {
    const { of, dump } = this;
    if (!this.summary?.has_batches) return;
    this.batch.load(
      `${iteration}`,
      (_, asking) => of.source.flightBatch(of.id, dump, iteration, asking),
      'keep',
    );
  }
}

/** The link's state as the view of a flight sees it. */
export class FlightStore implements ViewStore {
  readonly #of: ViewStore;
  readonly #flight: Flight;

  constructor(of: ViewStore, flight: Flight) {
    this.#of = of;
    this.#flight = flight;
  }

  /** Until the iterations have come nothing lies in them. */
  readonly #ends = $derived.by(() => {
    const { iterations } = this.#flight.iterations;
    return [iterations[0] ?? 0, iterations[iterations.length - 1] ?? -1] as const;
  });

  readonly v: View = $derived.by(() => flightView(this.#of.v, this.#ends));

  commit(change: Partial<View>): void {
    this.#of.commit(changeOfRun(this.#of.v, this.#ends, change));
  }

  amend(change: Partial<View>): void {
    this.#of.amend(changeOfRun(this.#of.v, this.#ends, change));
  }

  leave(): void {
    this.#of.commit(OUT_OF_FLIGHT);
  }
}
