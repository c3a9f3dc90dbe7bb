"""How is a training recorded whose framework we do not know, by the arrays that it has?

1. The user says when: `log_dump` takes the weights of every layer by name, and what else there is at this iteration.
   What is measured of them, and the files, are those of `Recorder`; a reader sees no difference.
2. How weights are laid out is said once (`array_layers.py`). Arrays are copied to the host, where they are measured.
3. Nothing here imports torch or any framework.
4. Wrong arguments raise in the constructor. Whatever fails later is one warning at the user's line, and is told in
   `run.json`; `strict=True` raises.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from deeptracker.analysis.findings import Finding
from deeptracker.record.alerts import AlertOptions, Alerts, OnFinding
from deeptracker.record.array_evaluations import ArrayEvaluations
from deeptracker.record.array_layers import FILTERS_FIRST, array_layers
from deeptracker.record.array_measures import ArrayMeasurer
from deeptracker.record.beginning import begin
from deeptracker.record.dump import Dump, Measured
from deeptracker.record.hierarchy import describe
from deeptracker.record.index_builder import LAST_SECONDS
from deeptracker.record.kernels import first_convolution, kernels_of
from deeptracker.record.recording import Recording
from deeptracker.record.schedule import Schedule, WhenLogged, as_schedule
from deeptracker.schema import Kernels, Predictions
from deeptracker.store.blobs import Blobs

SOURCE = "module names, in the order in which the script gives them"


class ArrayRecorder:
    """Records a training into a run, from arrays of any framework: whatever has `__array__` or speaks DLPack.

    `run` is a folder or an object-store URL. `layers` are the weights of each layer by name, or their shapes, in the
    order in which data reaches them; dots in names make the hierarchy. `layout` says in letters what their dimensions
    are, for all or by name: `"oi..."` output units first (PyTorch), `"...io"` last (Keras, JAX). `kinds` names what is
    no convolution or linear layer. `validation` is `(images or None, labels)`, `ids` what the samples are called.
    `every` (as in `Recorder`) only says what `is_due` answers. `resume` is the iteration of the checkpoint that
    training continues from. `normalisation`, `index`, `on_finding`, `stop_on`, `webhook` and `strict` are as in
    `Recorder`; what they do is done in `log` and `log_dump`.

    Raises ValueError or TypeError for wrong arguments, RunExistsError where a run is and `resume` is not given, OSError
    where the run cannot be begun. Later errors are warnings (`RecorderWarning`) unless `strict`.

    with ArrayRecorder("runs/jax", weights, layout="...io", validation=(images, labels)) as recorder:
        recorder.log_dump(0, weights, predictions=logits)
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        layers: Mapping[str, Any],
        *,
        layout: str | Mapping[str, str] = FILTERS_FIRST,
        kinds: Mapping[str, str] | None = None,
        validation: tuple[Any, Any] | None = None,
        ids: Sequence[Any] | None = None,
        every: Any = None,
        steps_per_epoch: int | None = None,
        name: str | None = None,
        config: dict[str, Any] | None = None,
        class_names: Sequence[str] | None = None,
        normalisation: tuple[Any, Any] | None = None,
        resume: int | None = None,
        index: bool = True,
        on_finding: OnFinding | None = None,
        stop_on: Any = None,
        webhook: str | None = None,
        strict: bool = False,
    ) -> None:
        found = {one.layer.name: one for one in array_layers(layers, layout, kinds or {})}
        self._schedule: Schedule = (
            WhenLogged() if every is None else as_schedule(every, steps_per_epoch=steps_per_epoch)
        )
        alerting = AlertOptions.checked(on_finding, stop_on, webhook)
        images, labels = (None, None) if validation is None else validation
        self._evaluations = ArrayEvaluations(images, labels, ids, normalisation)
        blobs = Blobs(run)
        described = [one.layer for one in found.values()]
        begun = begin(
            blobs,
            described,
            resume=resume,
            name=name,
            config=config,
            class_names=class_names,
            schedule=self._schedule,
        )
        self._evaluations.continue_with(begun.samples)
        network = begun.network or describe(described, source=SOURCE)
        self._layers = [replace(found[layer.name], layer=layer) for layer in network.layers]
        self._measurer = ArrayMeasurer(self._layers)
        self._convolution = first_convolution(network.layers)
        self._recording = Recording(blobs, begun, network, self._evaluations, alerting, index=index, strict=strict)
        self._shown_at = begun.iteration if begun.has_dump else None
        self._start = begun.iteration
        self._dumped = begun.iteration - 1
        self._first_row = begun.iteration + 1 if begun.has_scalars else begun.iteration

    @property
    def iteration(self) -> int:
        """The newest iteration that anything was logged of."""
        return self._recording.iteration

    @property
    def overhead(self) -> dict[str, float]:
        """Dumps made, and seconds that training has spent on them."""
        return self._recording.overhead

    @property
    def alerts(self) -> Alerts:
        """Who is told of findings."""
        return self._recording.alerts

    @property
    def stopped(self) -> Finding | None:
        """The finding that a rule of `stop_on` has ended training for."""
        return self.alerts.stopped

    def is_due(self, iteration: int) -> bool:
        """Is a dump due at this iteration, by `every`? The first one of a run always is."""
        return (iteration == self._start and self._dumped < iteration) or self._schedule.is_due(iteration)

    def log(self, iteration: int, **scalars: Any) -> None:
        """Scalars of an iteration: numbers, or arrays of one number. Iterations must not descend."""
        if not self._recording.is_here:
            return
        with self._recording.guard("scalars", iteration):
            self._recording.advance(iteration)
            if iteration >= self._first_row:
                self._recording.scalars.add(self.iteration, scalars)
            self._recording.alerts.logged(self.iteration, scalars)
            if self._recording.scalars.are_due():
                self._recording.write_scalars(before=self.iteration)
        self._recording.alerts.deliver(self.iteration)

    def log_dump(
        self,
        iteration: int,
        weights: Mapping[str, Any],
        gradients: Mapping[str, Any] | None = None,
        predictions: Any = None,
        *,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        """A dump: weights by layer, shaped as at the beginning, after so many optimizer steps (0: none yet).

        `gradients` and the weights just `before` the last step are shaped like weights; gradients may lack layers. What
        follows from what is not given is undefined. `predictions` are logits or probabilities (samples, classes) of
        the validation samples, in order, or a function that gives them. Iterations must ascend. In a resumed run a dump
        that it shows already is not written again, only compared with.
        """
        recording = self._recording
        if not recording.is_here:
            return
        is_next = False
        with recording.guard("dump", iteration):
            recording.advance(iteration)
            if iteration <= self._dumped:
                raise ValueError(f"dumps must be of ascending iterations. Got {iteration} after {self._dumped}.")
            self._dumped, is_next = iteration, True
        if not is_next:
            return
        if iteration == self._shown_at:
            with recording.guard("measures", iteration):
                self._measurer.remember(weights)
            return
        measured: Measured | None = None
        kernels: Kernels | None = None
        predicted: Predictions | None = None
        with recording.guard("measures", iteration, seconds="measure"):
            measured = self._measurer.measure(weights, gradients, before)
            if self._convolution is not None:
                layer = self._layers[self._convolution].layer
                kernels = kernels_of(self._convolution, layer, self._measurer.rows(self._convolution))
        if predictions is not None:
            with recording.guard("predictions", iteration, seconds="validate"):
                outputs = predictions() if callable(predictions) else predictions
                predicted, error_rate = self._evaluations.evaluate(outputs)
                if iteration >= self._first_row:
                    recording.scalars.add(iteration, {"validation_error": error_rate})
        with recording.guard("dump", iteration):
            recording.write_dump(Dump(iteration, measured, kernels, predicted))
        error, self._evaluations.picture_error = self._evaluations.picture_error, None
        if error is not None:
            recording.lose("pictures", iteration, error)
        recording.alerts.deliver(iteration)

    def flush(self) -> None:
        """Write everything up to this iteration, and wait until it is on disk."""
        if self._recording.is_here and not self._recording.is_closed:
            self._recording.write_scalars(before=self.iteration)
            self._recording.flush()

    def close(self, *, index_seconds: float = LAST_SECONDS) -> None:
        """Write what is left and end the recording; the run is then "finished".

        Waits at most so many seconds for the last block of the index, and as many for a last look for findings.
        """
        self._recording.close("finished", None, index_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        is_stopped = self.alerts.has_raised(error)
        if error is None or is_stopped:
            self.close()
        else:
            self._recording.close("failed", f"{type(error).__name__}: {error}".rstrip(": "), 0)
        return is_stopped
