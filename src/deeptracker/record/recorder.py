"""How is a training recorded by one object and without its noticing?

1. The optimizer's own step hooks count iterations. Before a due step gradients are measured; after it weights; then the
   model is evaluated; small arrays go to the writer thread.
2. Everything that could change the training is put back (`preserve.py`): it is bit-identical with and without.
3. Beside it the index is built, block by block, by a process that gives way (`index_builder.py`).
4. Wrong arguments raise in the constructor. Whatever fails later is one warning at the user's line, and is told in
   `run.json`; `strict=True` raises.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import torch
from torch import nn

from deeptracker.record.beginning import begin
from deeptracker.record.dump import Dump
from deeptracker.record.evaluations import Evaluations
from deeptracker.record.graph import network_of
from deeptracker.record.index_builder import LAST_SECONDS, IndexBuilder
from deeptracker.record.kernels import FirstConvolution
from deeptracker.record.losses import RUN_FILE, Losses
from deeptracker.record.measures import Measurer
from deeptracker.record.network import arranged, unwrap, weighted_layers
from deeptracker.record.output import Output
from deeptracker.record.schedule import as_schedule
from deeptracker.record.tensor_scalars import TensorScalars
from deeptracker.record.writer import Failure, Writer
from deeptracker.schema import Predictions
from deeptracker.store.blobs import Blobs


class Recorder:
    """Records a training into a run.

    `run` is a folder or an object-store URL. `every` says when a dump is due: a number of iterations, `"7/epoch"` (with
    `steps_per_epoch`), iterations, or a rule `iteration -> bool`. `validation` is a loader of `(image, label)` batches,
    arrays `(x, y)` or a data set; a model with one output per sample must give a logit. `example_input` is what a call
    of the model takes (a tuple: several arguments), to see how data flows; if not given, the first validation images.
    `normalisation` is the `(mean, std)` to undo for pictures. `resume` is the iteration of the checkpoint that training
    continues from. Without `index` no index is built meanwhile; it is a cache, which makes long runs open fast.

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
        optimizer: torch.optim.Optimizer,
        *,
        validation: Any = None,
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
        strict: bool = False,
    ) -> None:
        self._schedule = as_schedule(every, steps_per_epoch=steps_per_epoch)
        layers = weighted_layers(model)
        if not hasattr(optimizer, "register_step_post_hook"):
            raise TypeError(
                f"optimizer must be a torch optimizer. Got a {type(optimizer).__name__}. Give the one that it wraps."
            )
        blobs = Blobs(run)
        self._evaluations = Evaluations(
            unwrap(model), validation, preprocess=preprocess, normalisation=normalisation, batch_size=batch_size
        )
        begun = begin(
            blobs,
            [layer.layer for layer in layers],
            resume=resume,
            name=name,
            config=config,
            class_names=class_names or self._evaluations.class_names,
            schedule=self._schedule,
        )
        self._evaluations.continue_with(begun.samples)
        network = begun.network or network_of(model, layers, self._evaluations.example(example_input))
        begun.write(network)
        self._info = begun.info
        self.iteration = begun.iteration
        self._losses = Losses(begun.info.lost, strict=strict)
        ordered = arranged(layers, network)
        self._measurer = Measurer(ordered)
        self._convolution = FirstConvolution.of(ordered)
        self._scalars = TensorScalars()
        self._writer = Writer()
        builder = IndexBuilder(blobs.place, begun, self._writer.tell) if index else None
        self._output = Output(self._writer, begun.log, blobs, self._evaluations, builder)
        self._step_ended = time.perf_counter()
        self._seconds = {"measure": 0.0, "validate": 0.0}
        self._dumps = 0
        self._is_due = self._is_closed = False
        self._has_measures = True
        self._keep_first_row = not begun.has_scalars
        self._validated: tuple[int, float] | None = None
        self._finalizer = weakref.finalize(self, self._output.drain, self._scalars)
        if begun.has_dump:
            self._measurer.remember()
        else:
            self._dump()
        self._hooks = (
            optimizer.register_step_pre_hook(self._before_step),
            optimizer.register_step_post_hook(self._after_step),
        )
        self._step_ended = time.perf_counter()

    @property
    def waiting_seconds(self) -> float:
        """How long training has waited for the writer thread."""
        return self._writer.waiting_seconds

    @property
    def overhead(self) -> dict[str, float]:
        """Dumps made, and seconds that training has spent on them."""
        return {
            "dumps": self._dumps,
            "measure_seconds": self._seconds["measure"],
            "validate_seconds": self._seconds["validate"],
            "waiting_seconds": self.waiting_seconds,
        }

    def log(self, **scalars: Any) -> None:
        """Scalars of the iteration just done: numbers, or tensors of one number (nothing waits for the device)."""
        if self._writer.is_here:
            with self._guard("scalars"):
                self._check_open()
                self._scalars.add(self.iteration, scalars)

    def validate(self) -> float:
        """Evaluate now, record the predictions at this iteration if they are not yet; the error rate, or NaN."""
        if self._validated is None or self._validated[0] != self.iteration:
            with self._guard("predictions"):
                self._check_open()
                self._write_dump(Dump(self.iteration, predictions=self._evaluate()))
            self._tell_pictures()
        return self._validated[1] if self._validated and self._validated[0] == self.iteration else float("nan")

    def predictions(self, ids: Sequence[Any], labels: Any, probabilities: Any, images: Any = None) -> None:
        """Your own evaluation at this iteration: true labels (n,), probabilities (n, classes), images if any.

        May be called batch by batch. The first complete evaluation fixes the run's samples.
        """
        if self._writer.is_here:
            with self._guard("predictions"):
                self._check_open()
                self._evaluations.collect(self.iteration, ids, labels, probabilities, images)

    def flush(self) -> None:
        """Write everything up to this iteration, and wait until it is on disk."""
        if not self._writer.is_here or self._is_closed:
            return
        self._write_collected()
        self._write_scalars(before=self.iteration)
        self._writer.flush()
        self._tell_failures()

    def close(self, *, index_seconds: float = LAST_SECONDS) -> None:
        """Write what is left and end the recording; the run is then "finished".

        Waits at most so many seconds for the last block of the index.
        """
        self._close("finished", None, index_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._close("failed", f"{type(error).__name__}: {error}".rstrip(": "))

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if not self._writer.is_here:
            return
        self._is_due = False
        self._write_collected()
        with self._guard("dump", self.iteration + 1):
            self._is_due = self._schedule.is_due(self.iteration + 1)
        if self._is_due:
            self._has_measures = False
            with self._guard("measures", self.iteration + 1), self._timed("measure"):
                self._measurer.before_step()
                if not _closure(args, kwargs):
                    self._measurer.gradients(scale=getattr(optimizer, "grad_scale", None))
                self._has_measures = True

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if not self._writer.is_here:
            return
        self.iteration += 1
        seconds = time.perf_counter() - self._step_ended
        self._tell_failures()
        with self._guard("scalars"):
            self._scalars.add(self.iteration, {**_learning_rates(optimizer), "iteration_seconds": seconds})
        if self._is_due:
            self._is_due = False
            if self._has_measures and _closure(args, kwargs):
                self._has_measures = False
                with self._guard("measures"), self._timed("measure"):
                    self._measurer.gradients()  # a closure makes them within the step
                    self._has_measures = True
            self._dump()
        elif self._scalars.are_due():
            self._write_scalars(before=self.iteration)
        self._step_ended = time.perf_counter()

    def _dump(self) -> None:
        measured = kernels = predictions = None
        if self._has_measures:
            with self._guard("measures"), self._timed("measure"):
                measured = self._measurer.after_step()
        if self._convolution is not None:
            with self._guard("kernels"), self._timed("measure"):
                kernels = self._convolution.kernels()
        if self._evaluations.has_data:
            with self._guard("predictions"):
                predictions = self._evaluate()
        self._write_dump(Dump(self.iteration, measured, kernels, predictions))
        self._tell_pictures()
        self._dumps += 1

    def _evaluate(self) -> Predictions:
        with self._timed("validate"):
            predictions, error_rate = self._evaluations.evaluate()
        self._validated = (self.iteration, error_rate)
        if self._keep_first_row or self.iteration > self._info.branches[-1].start:
            self._scalars.add(self.iteration, {"validation_error": error_rate})
        return predictions

    def _tell_pictures(self) -> None:
        error, self._evaluations.picture_error = self._evaluations.picture_error, None
        if error is not None:
            self._lose(Failure("pictures", self.iteration, error))

    def _write_dump(self, dump: Dump) -> None:
        self._write_scalars(before=dump.iteration)
        self._output.write_dump(dump)
        if not self._losses.are_told:
            self._write_info()

    def _write_collected(self) -> None:
        """The user's own evaluation is complete once the next step begins."""
        if self._evaluations.has_collected:
            with self._guard("predictions"):
                iteration, predictions = self._evaluations.take_collected()
                self._output.write_dump(Dump(iteration, predictions=predictions))
            self._tell_pictures()
            unknown, self._evaluations.unknown = self._evaluations.unknown, 0
            if unknown:
                self._lose(Failure("samples", self.iteration, _unknown_samples(unknown)))

    def _write_scalars(self, *, before: int | None) -> None:
        with self._guard("scalars"):
            self._output.write_scalars(self._scalars.take(before=before))

    def _write_info(self, **changes: Any) -> None:
        self._losses.are_told = True
        self._info = info = replace(self._info, lost=self._losses.texts, overhead=self.overhead, **changes)
        self._output.write_info(self.iteration, info)

    def _close(self, state: str, exception: str | None, index_seconds: float = 0) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        for hook in self._hooks:
            hook.remove()
        if not self._writer.is_here:
            return
        self._finalizer.detach()
        raised: list[Exception] = []
        for step in (self._write_collected, lambda: self._write_scalars(before=None), self._writer.flush):
            try:
                step()
            except Exception as error:  # strict: raised below, once the run says how it ended
                raised.append(error)
        failures = self._take_failures()
        self._write_info(state=state, exception=exception)
        self._output.close(index_seconds)
        failures += self._take_failures()
        for failure in failures if exception is None else []:
            self._losses.tell(failure)
        if any(failure.what == RUN_FILE for failure in failures):
            self._losses.tell_all()
        if raised and exception is None:
            raise raised[0]

    @contextmanager
    def _guard(self, what: str, iteration: int | None = None) -> Iterator[None]:
        """An error inside becomes a loss and one warning; `strict` lets it through."""
        try:
            yield
        except Exception as error:
            self._lose(Failure(what, self.iteration if iteration is None else iteration, error))

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            self._seconds[what] += seconds
            self._step_ended += seconds  # what the recorder takes is no part of the training's iteration

    def _lose(self, failure: Failure) -> None:
        self._losses.add(failure)
        self._losses.tell(failure)

    def _take_failures(self) -> list[Failure]:
        failures = self._writer.failures()
        for failure in failures:
            self._losses.add(failure)
        return failures

    def _tell_failures(self) -> None:
        for failure in self._take_failures():
            self._losses.tell(failure)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("a recorder must be open to record. It has been closed.")


def _closure(args: Any, kwargs: Any) -> bool:
    """Was `step` called with a closure? The hooks' `args` begin with the optimizer itself."""
    return any(callable(value) for value in (*args[1:2], kwargs.get("closure")))


def _learning_rates(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    rates = [group.get("lr") for group in optimizer.param_groups]
    return {f"lr/{i}" if i else "lr": rate for i, rate in enumerate(rates) if rate is not None}


def _unknown_samples(count: int) -> ValueError:
    return ValueError(f"samples must be those of the first evaluation. {count} were not among them and are left out")
