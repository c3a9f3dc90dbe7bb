"""How is a training recorded by one object and without its noticing?

1. The optimizers' own step hooks count iterations (`steps.py`). Before a due step gradients are measured; after it
   weights; then the model is evaluated; small arrays go to the writer thread.
2. Everything that could change the training is put back (`preserve.py`): it is bit-identical with and without.
3. `flight.py` keeps what comes before trouble. `index_builder.py` and `alerts.py` ask processes that give way.
4. Wrong arguments raise in the constructor. Whatever fails later is one warning at the user's line, and is told in
   `run.json`; `strict=True` raises.
5. Of several processes each records its part (`ranks.py`, `shards.py`, `sharded.py`); a model whose layers change
   goes on in a run beside it (`versions.py`).
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from torch import nn

from deeptracker.analysis.findings import Finding
from deeptracker.record.alerts import AlertOptions, Alerts, OnFinding
from deeptracker.record.beginning import Beginning, begin_together, begin_version
from deeptracker.record.dump import Dump
from deeptracker.record.evaluations import Evaluations
from deeptracker.record.flight import FlightOptions, flights_of
from deeptracker.record.index_builder import LAST_SECONDS, IndexBuilder
from deeptracker.record.losses import Losses, tried
from deeptracker.record.measuring import Measuring, write_network
from deeptracker.record.network import WeightedLayer, is_average, unwrap, weighted_layers
from deeptracker.record.output import Output
from deeptracker.record.overhead import Overhead
from deeptracker.record.ranks import Ranks
from deeptracker.record.schedule import as_schedule
from deeptracker.record.step_measures import StepMeasures
from deeptracker.record.steps import Optimizers, Part, Steps, as_optimizers
from deeptracker.record.tensor_scalars import TensorScalars
from deeptracker.record.trouble import warn_user
from deeptracker.record.versions import DISTRIBUTED_LAYERS_CHANGED, went_on_in
from deeptracker.record.writer import Writer
from deeptracker.schema import Network, Predictions
from deeptracker.store.blobs import Blobs


class Recorder:
    """Records a training into a run.

    `run` is a folder or an object-store URL. Of several optimizers (a list) an iteration ends with a step of the last;
    a step that a GradScaler skips is none. `every` says when a dump is due: a number of iterations, `"7/epoch"` (with
    `steps_per_epoch`), iterations, or a rule `iteration -> bool`. `validation` is a loader of `(image, label)` batches,
    arrays `(x, y)` or a data set; a model with one output per sample must give a logit. `validation_model` is evaluated
    in place of `model`: an average of weights (`AveragedModel`), say, which is waited for until the next step begins.
    `validation_ids` name the samples in the order of the data; if not given, numbers do. `example_input` is what a call
    of the model takes (a tuple: several arguments), to see how data flows; if not given, the first validation images.
    `normalisation` is the `(mean, std)` to undo for pictures. `resume` is the iteration of the checkpoint that training
    continues from. Without `index` no index is built meanwhile; it is a cache, which makes long runs open fast.
    `flight=N` keeps a few measures of every filter (16 bytes each) of the last N iterations, written at a dump that
    shows trouble; `snapshots` is how many bytes of weights may be written with them (docs/flights.md). Each new
    finding is handed to `on_finding` and posted to `webhook`; `stop_on` ("nan", a kind, a severity, a callable, or a
    list) ends training by `TrainingStopped`, which `with` keeps to itself (docs/alerts.md).

    In a distributed training every process makes its Recorder, all at the same place and time, and records its share of
    the validation; rank 0 records everything else. In training steps no process waits for another because of it.

    Raises ValueError or TypeError for wrong arguments, RunExistsError where a run is and `resume` is not given, OSError
    where the run cannot be begun. Later errors are warnings (`RecorderWarning`) unless `strict`.

    with Recorder("runs/resnet50", model, optimizer, validation=val_loader, every=1600) as recorder:
        for x, y in train_loader:
            ...
            optimizer.step()
            recorder.log(loss=loss)
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        model: nn.Module,
        optimizer: Optimizers,
        *,
        validation: Any = None,
        validation_model: nn.Module | None = None,
        validation_ids: Sequence[Any] | None = None,
        example_input: Any = None,
        every: Any = 1,
        steps_per_epoch: int | None = None,
        name: str | None = None,
        config: dict[str, Any] | None = None,
        class_names: Sequence[str] | None = None,
        preprocess: Callable[[Any], Any] | None = None,
        normalisation: tuple[Any, Any] | None = None,
        batch_size: int = 256,
        resume: int | None = None,
        index: bool = True,
        flight: int = 0,
        snapshots: int = 0,
        on_finding: OnFinding | None = None,
        stop_on: Any = None,
        webhook: str | None = None,
        strict: bool = False,
    ) -> None:
        self._schedule = as_schedule(every, steps_per_epoch=steps_per_epoch)
        layers, optimizers = weighted_layers(model), as_optimizers(optimizer)
        self._flight = FlightOptions.checked(flight, snapshots, layers)
        self._model, self._builds_index, self._strict, self._ranks = model, index, strict, Ranks.here()
        self._alerting = AlertOptions.checked(on_finding, stop_on, webhook, processes=self._ranks.count)
        self._evaluations = Evaluations(
            unwrap(validation_model or model),
            validation,
            preprocess=preprocess,
            normalisation=normalisation,
            batch_size=batch_size,
            ids=validation_ids,
            ranks=self._ranks,
        )
        blobs, begun = begin_together(
            self._ranks,
            run,
            [layer.layer for layer in layers],
            resume=resume,
            name=name,
            config=config,
            class_names=class_names or self._evaluations.class_names,
            schedule=self._schedule,
        )
        self._evaluations.continue_with(begun.samples)
        self._example = self._evaluations.example(example_input)
        self._losses = Losses(begun.info.lost, strict=strict)
        self._scalars = TensorScalars()
        self._overhead = Overhead()
        self._is_closed = self._is_late = False
        self._waits_for_average = is_average(model) or is_average(validation_model)
        self._validated: tuple[int, float] | None = None
        network = self._ranks.agreed(lambda: write_network(begun, model, layers, self._example))
        self._begin(blobs, begun, layers, network)
        self._evaluations.is_beginning = False
        self._steps = Steps(optimizers, self._before_step, self._after_step)
        self._overhead.step_ended()

    def _begin(self, blobs: Blobs, begun: Beginning, layers: Sequence[WeightedLayer], network: Network) -> None:
        """Begin a run, or go on with it, whose first documents are written."""
        self._blobs, self._info = blobs, begun.info
        self.iteration = begun.iteration
        measuring = Measuring(self._model, layers, network, self._ranks)
        self._writer = Writer()
        self._flights = flights_of(
            self._flight, self._model, measuring.layers, begun, blobs, leads=self._ranks.leads, writer=self._writer,
            losses=self._losses, overhead=self._overhead, labels=self._evaluations.labels,
        )  # fmt: skip
        self._measures = StepMeasures(measuring, self._flights, self._losses, self._overhead)
        place, tell, leads = blobs.place, self._writer.tell, self._ranks.leads
        builder = IndexBuilder(place, begun, tell) if self._builds_index and leads else None
        self.alerts = Alerts(self._alerting, place, begun, network, tell, leads=leads)
        self._output = Output(self._writer, begun.log, blobs, self._evaluations, builder, self.alerts)
        self._keep_first_row = not begun.has_scalars
        self._finalizer = weakref.finalize(self, self._output.drain, self._scalars, self._measures.ended)
        if begun.has_dump:
            measuring.remember()
        else:
            self._dump()

    @property
    def place(self) -> str:
        """Where it records to: the run, or a version of it with other layers."""
        return self._blobs.place

    @property
    def waiting_seconds(self) -> float:
        """How long training has waited for the writer thread."""
        return self._writer.waiting_seconds

    @property
    def overhead(self) -> dict[str, float]:
        """Dumps made, and seconds that training has spent on them."""
        return self._overhead.told(self.waiting_seconds)

    @property
    def stopped(self) -> Finding | None:
        """The finding that a rule of `stop_on` has ended training for."""
        return self.alerts.stopped

    def log(self, **scalars: Any) -> None:
        """Scalars of the iteration just done: numbers, or tensors of one number (nothing waits for the device)."""
        if self._writer.is_here and self._ranks.leads:
            with self._guard("scalars"):
                self._check_open()
                self._scalars.add(self.iteration, scalars)
                self._flights.logged(self.iteration, scalars)
                self.alerts.logged(self.iteration, scalars)
            self.alerts.deliver(self.iteration)

    def batch(self, ids: Any) -> None:
        """Ids of the training samples of the step to come, whole numbers: for the flight that it may be part of.

        Those of several batches whose gradients are accumulated add up. Without `flight` nothing is kept.
        """
        self._flights.batch(ids)

    def validate(self) -> float:
        """Evaluate now, record the predictions at this iteration if they are not yet; the error rate, or NaN.

        In a distributed training every process must call it, and gets the error rate of its own share.
        """
        self._dump_late()
        if self._validated is None or self._validated[0] != self.iteration:
            with self._guard("predictions"):
                self._check_open()
                self._write_dump(Dump(self.iteration, predictions=self._evaluate()))
            self._losses.lose(*self._evaluations.troubles(self.iteration))
        return self._validated[1] if self._validated and self._validated[0] == self.iteration else float("nan")

    def predictions(self, ids: Sequence[Any], labels: Any, probabilities: Any, images: Any = None) -> None:
        """Your own evaluation at this iteration: true labels (n,), probabilities (n, classes), images if any.

        May be called batch by batch. The first complete evaluation fixes the run's samples. In a distributed training
        rank 0 hands in those of all processes.
        """
        if self._writer.is_here:
            with self._guard("predictions"):
                self._check_open()
                self._evaluations.collect(self.iteration, ids, labels, probabilities, images)

    def flush(self) -> None:
        """Write everything up to this iteration, and wait until it is on disk."""
        if not self._writer.is_here or self._is_closed:
            return
        self._dump_late()
        self._write_collected()
        self._write_scalars(before=self.iteration)
        self._writer.flush()
        self._losses.hear(self._writer.failures())

    def close(self, *, index_seconds: float = LAST_SECONDS) -> None:
        """Write what is left and end the recording; the run is then "finished".

        Waits at most so many seconds for the last block of the index, and as many for a last look for findings.
        """
        self._close("finished", None, index_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        is_stopped = self.alerts.has_raised(error)
        if error is None or is_stopped:
            self.close()
        else:
            self._close("failed", f"{type(error).__name__}: {error}".rstrip(": "))
        return is_stopped

    def _before_step(self, part: Part) -> None:
        if not self._writer.is_here:
            return
        if part.begins:
            self._dump_late()
            self._write_collected()
            is_due = False
            with self._guard("dump", self.iteration + 1):
                is_due = self._schedule.is_due(self.iteration + 1)
                if is_due:
                    self._notice_layers()
            self._measures.begin(self.iteration + 1, is_due=is_due)
        self._measures.before(part, self._steps.owned)

    def _after_step(self, part: Part) -> None:
        if not self._writer.is_here:
            return
        self._measures.after(part, self._steps.owned)
        if not part.ends:
            return
        self.iteration += 1
        self._flights.stepped(self.iteration, is_late=self._waits_for_average)
        seconds = self._overhead.since_step()
        self._losses.hear(self._writer.failures())
        if self._ranks.leads:
            with self._guard("scalars"):
                rates = self._steps.learning_rates()
                self._scalars.add(self.iteration, {**rates, "iteration_seconds": seconds})
        if self._measures.is_due:
            self._measures.is_due, self._is_late = False, True
            if not self._waits_for_average:
                self._dump()
        elif self._scalars.are_due():
            self._write_scalars(before=self.iteration)
        self._overhead.step_ended()
        self.alerts.deliver(self.iteration)

    def _notice_layers(self) -> None:
        """Where the model has other layers than its run, go on in a run beside it, from this iteration."""
        layers = self._measures.changed_layers()
        if layers is None:
            return
        self._measures.stop()
        if self._ranks.count > 1:
            self._flights.stop()
            raise ValueError(DISTRIBUTED_LAYERS_CHANGED)
        self._writer.flush()
        blobs, begun = begin_version(self._blobs, [x.layer for x in layers], self.iteration, self._info, self._schedule)
        network = write_network(begun, self._model, layers, self._example)
        self._losses.note(went_on_in(blobs.place, self.iteration))
        self._end("finished", None)
        warn_user(f"{went_on_in(blobs.place, self.iteration)}. {self.place} ends here and stays as it is.")
        self._losses = Losses(begun.info.lost, strict=self._strict)
        self._begin(blobs, begun, layers, network)

    def _dump_late(self) -> None:
        """An average takes up a step after the optimizer has made it: its dump is made when the next begins."""
        if self._is_late:
            self._dump()

    def _dump(self) -> None:
        self._is_late = False
        measured, kernels = self._measures.whole(self.iteration)
        predictions = None
        if self._evaluations.has_data:
            with self._guard("predictions"):
                predictions = self._evaluate()
        self._write_dump(Dump(self.iteration, measured, kernels, predictions))
        self._losses.lose(*self._evaluations.troubles(self.iteration))
        self._overhead.dumps += 1

    def _evaluate(self) -> Predictions:
        with self._overhead.timed("validate"):
            predictions, error_rate = self._evaluations.evaluate()
        self._validated = (self.iteration, error_rate)
        is_new = self._keep_first_row or self.iteration > self._info.branches[-1].start
        if is_new and self._ranks.count == 1:  # of several processes each knows its own share only
            self._scalars.add(self.iteration, {"validation_error": error_rate})
        return predictions

    def _write_dump(self, dump: Dump) -> None:
        self._write_scalars(before=dump.iteration)
        self._put(dump)
        if not self._losses.are_told or self.alerts.told != self._info.told:
            self._write_info()

    def _put(self, dump: Dump) -> None:
        self._output.write_dump(dump)
        self._flights.dumped(dump)

    def _write_collected(self) -> None:
        """The user's own evaluation is complete once the next step begins."""
        if self._evaluations.has_collected:
            with self._guard("predictions"):
                iteration, predictions = self._evaluations.take_collected()
                self._put(Dump(iteration, predictions=predictions))
            self._losses.lose(*self._evaluations.troubles(self.iteration))

    def _write_scalars(self, *, before: int | None) -> None:
        with self._guard("scalars"):
            self._output.write_scalars(self._scalars.take(before=before))

    def _write_info(self, **changes: Any) -> None:
        self._losses.are_told = True
        if not self._ranks.leads:
            return
        changes |= {"lost": self._losses.texts, "overhead": self.overhead, "told": self.alerts.told}
        self._info = info = replace(self._info, **changes)
        self._output.write_info(self.iteration, info)

    def _close(self, state: str, exception: str | None, index_seconds: float = 0) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._steps.remove()
        if self._writer.is_here:
            self._end(state, exception, index_seconds)

    def _end(self, state: str, exception: str | None, index_seconds: float = 0) -> None:
        """Write what is left of a run, and that it has ended."""
        self._finalizer.detach()
        raised = tried(
            self._dump_late,
            self._write_collected,
            lambda: self._write_scalars(before=None),
            lambda: self._measures.ended(self._output.write_dump),
            self._writer.flush,
            lambda: self.alerts.ended(self.iteration, index_seconds, training_failed=exception is not None),
        )
        failures = self._losses.taken(self._writer.failures())
        self._write_info(state=state, exception=exception, stopped=self.alerts.stopped_at(self.iteration))
        self._output.close(index_seconds)
        failures += self._losses.taken(self._writer.failures())
        self._losses.tell_at_end(failures, training_failed=exception is not None)
        if raised and exception is None:
            raise raised[0]

    def _guard(self, what: str, iteration: int | None = None) -> AbstractContextManager[None]:
        """An error inside becomes a loss and one warning; `strict` lets it through."""
        return self._losses.guard(what, self.iteration if iteration is None else iteration)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("a recorder must be open to record. It has been closed.")
