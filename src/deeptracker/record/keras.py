"""How is a training of Keras recorded by one line, whatever its backend is?

    model.fit(..., callbacks=[deeptracker.KerasCallback("runs/keras", validation=(x_test, y_test))])

1. Layers are the kernels and embeddings of the model, in the order of its weights, by the names that Keras gives them.
   How each is laid out follows from the kind of layer.
2. A batch is an iteration; with accumulated gradients, as many as make a step. At a due one weights are taken before
   and after it, and the validation data evaluated in batches.
3. Keras shows a callback neither gradients nor the validation data of `fit`: measures of gradients are undefined, and
   validation data must be given here.
4. An optimizer that has made steps continues a run: `fit` after a model was loaded or restored, or a further `fit`.
   Where a rule of `stop_on` holds the model is told to stop, after this batch.
5. Keras tells nobody of an exception: the run stays "running" until it is resumed, or the process ends.
"""

from __future__ import annotations

import os
from typing import Any, Unpack

import keras
import numpy as np
import numpy.typing as npt

from deeptracker.record.array_recorder import ArrayRecorder
from deeptracker.record.keras_layers import layers_of
from deeptracker.record.options import PER_EPOCH, ArrayOptions, check_options, completed, steps_in


class KerasCallback(keras.callbacks.Callback):
    """Records a fit into a run.

    `run` is a folder or an object-store URL. `validation` is `(x, y)`, arrays; without it weights alone are recorded.
    They are evaluated `batch_size` samples at a time. `every` says when a dump is due, as in `Recorder`; seven times an
    epoch unless given. All other options are those of `ArrayRecorder`.

    Raises TypeError or ValueError for wrong options; what `ArrayRecorder` refuses it refuses when training begins.
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        validation: tuple[Any, Any] | None = None,
        every: Any = PER_EPOCH,
        batch_size: int = 256,
        **options: Unpack[ArrayOptions],
    ) -> None:
        super().__init__()
        check_options(every, options, ArrayOptions)
        if validation is not None and not (len(validation) == 2 and all(hasattr(x, "shape") for x in validation)):
            raise TypeError("validation must be arrays (x, y). Got something else. Gather its batches into two arrays.")
        self._run, self._validation, self._every, self._options = run, validation, every, options
        self._batch_size = batch_size
        self._weights: dict[str, Any] = {}
        self._before: dict[str, Any] | None = None
        self._batches = self._start = self._first = 0
        self.recorder: ArrayRecorder | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """A training before this one that never ended was interrupted."""
        self._end(InterruptedError("training began anew"))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin, or go on; not earlier, as other callbacks may restore a model when training begins."""
        if self.recorder is not None:
            return
        model = self.model
        self._start, self._batches = int(_array(model.optimizer.iterations)), 0
        found = layers_of(model)
        self._weights = {name: weight for name, (weight, _, _) in found.items()}
        self.recorder = ArrayRecorder(
            self._run,
            {name: tuple(weight.shape) for name, weight in self._weights.items()},
            layout={name: layout for name, (_, layout, _) in found.items()},
            kinds={name: kind for name, (_, _, kind) in found.items() if kind is not None},
            validation=self._validation,
            every=self._every,
            resume=self._start or None,
            **completed(self._options, steps_in(self.params.get("steps"), self._accumulated)),
        )
        self.recorder.alerts.options.raises = False
        self._dump()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the weights before a due step."""
        self._first, self._before = batch, None
        coming = self._start + (self._batches + 1) // self._accumulated
        is_one_step = getattr(self._model, "steps_per_execution", 1) == 1
        if self.recorder is not None and is_one_step and coming > self.recorder.iteration:
            self._before = self._arrays() if self.recorder.is_due(coming) else None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Log, and dump if that is due; several batches may have been done at once."""
        if self.recorder is None:
            return
        self._batches += batch - self._first + 1
        done = self._start + self._batches // self._accumulated
        new = range(self.recorder.iteration + 1, done + 1)
        if new:
            self.recorder.log(done, **(logs or {}))
        if any(self.recorder.is_due(iteration) for iteration in new):
            self._dump()
        if self.recorder.stopped is not None:
            self._model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """The run is finished."""
        self._end(None)

    @property
    def _accumulated(self) -> int:
        return getattr(self._model.optimizer, "gradient_accumulation_steps", None) or 1

    def _arrays(self) -> dict[str, Any]:
        _ = self.model  # with JAX as backend, asking for it is what brings the weights up to date
        return {name: _array(weight) for name, weight in self._weights.items()}

    def _dump(self) -> None:
        if self.recorder is not None:
            before, self._before = self._before, None
            weights = self._arrays()
            self.recorder.log(self.recorder.iteration, lr=float(_array(self._model.optimizer.learning_rate)))
            outputs = None if self._validation is None else self._outputs
            self.recorder.log_dump(self.recorder.iteration, weights, predictions=outputs, before=before)

    def _outputs(self) -> npt.NDArray[Any]:
        parts: list[npt.NDArray[Any]] = []
        images = self._validation[0] if self._validation is not None else ()
        for first in range(0, len(images), self._batch_size):
            found = self._model.predict_on_batch(images[first : first + self._batch_size])
            while isinstance(found, (list, tuple, dict)):
                found = next(iter(found.values() if isinstance(found, dict) else found))
            parts.append(_array(found))
        return np.concatenate(parts)

    def _end(self, error: BaseException | None) -> None:
        recorder, self.recorder = self.recorder, None
        if recorder is not None:
            recorder.__exit__(None if error is None else type(error), error, None)


def _array(value: Any) -> npt.NDArray[Any]:
    return np.asarray(keras.ops.convert_to_numpy(value))
