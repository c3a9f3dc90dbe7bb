"""How is a training of Hugging Face's Trainer recorded by one line?

    Trainer(..., callbacks=[deeptracker.TransformersCallback("runs/vit", validation=eval_dataset)])

1. When training begins a `Recorder` is made of model and optimizer. It sees steps as they happen: accumulated, clipped,
   unscaled; those that a scaler skips are none.
2. The trainer's state, which goes into every checkpoint, holds the iteration, and all up to it is on disk before it. A
   training that is resumed from a checkpoint goes on in the same run.
3. A data set whose items are dictionaries is gone through as (the model's main input, label).
4. Where a rule of `stop_on` holds the trainer is told to stop. It logs a NaN loss as if it were none, unless it is made
   with `logging_nan_inf_filter=False`; NaN is noticed in the weights at the next dump all the same.
5. The trainer tells nobody of an exception: the run stays "running" until it is resumed, or the process ends. One
   process records, the first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import TrainerCallback

from deeptracker.record.options import PER_EPOCH, RecorderOptions, check_options, completed, steps_in
from deeptracker.record.recorder import Recorder

_STATE = "deeptracker"
_LABELS = ("labels", "label", "label_ids")


class TransformersCallback(TrainerCallback):
    """Records a training into a run.

    `run` is a folder or an object-store URL. `every` says when a dump is due, as in `Recorder`; seven times an epoch
    unless given. `validation` is the evaluation data set, as the trainer has it, or whatever `Recorder` takes; without
    it weights and gradients alone are recorded, because the trainer does not show callbacks its own. All other options
    are those of `Recorder`.

    Raises TypeError or ValueError for wrong options; what `Recorder` refuses it refuses when training begins.
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        validation: Any = None,
        every: Any = PER_EPOCH,
        **options: Unpack[RecorderOptions],
    ) -> None:
        check_options(every, options)
        self._run, self._validation, self._every, self._options = run, validation, every, options
        self.recorder: Recorder | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Begin, or go on."""
        self._end(InterruptedError("training began anew"))
        if not state.is_world_process_zero:
            return
        model, optimizer, loader = parts["model"], parts["optimizer"], parts["train_dataloader"]
        while isinstance(getattr(optimizer, "optimizer", None), torch.optim.Optimizer):
            optimizer = optimizer.optimizer  # accelerate wraps it, and steps the one inside
        steps = steps_in(len(loader) if hasattr(loader, "__len__") else None, args.gradient_accumulation_steps)
        kept = (state.stateful_callbacks or {}).get(_STATE)
        self.recorder = Recorder(
            self._run,
            model,
            optimizer,
            validation=_pairs(self._validation, getattr(model, "main_input_name", "pixel_values")),
            every=self._every,
            resume=kept["iteration"] if kept else state.global_step or None,
            **completed(self._options, steps, _class_names(model)),
        )
        self.recorder.alerts.options.raises = False

    def on_step_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Keep the iteration for a checkpoint, which may come now."""
        self._keep(state, control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """The same; some checkpoints come at the end of an epoch."""
        self._keep(state, control)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **parts: Any) -> None:
        """Loss and whatever else the trainer logs; but for its summary, which is of the whole training."""
        if self.recorder is not None and logs and "train_runtime" not in logs:
            self.recorder.log(**{name: value for name, value in logs.items() if isinstance(value, (int, float))})
            self._stop(control)

    def on_train_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """The run is finished."""
        self._end(None)

    def _keep(self, state: Any, control: Any) -> None:
        if self.recorder is not None:
            state.stateful_callbacks[_STATE] = {"iteration": self.recorder.iteration}
            if control.should_save:
                self.recorder.flush()
            self._stop(control)

    def _stop(self, control: Any) -> None:
        if self.recorder is not None and self.recorder.stopped is not None:
            control.should_training_stop = True

    def _end(self, error: BaseException | None) -> None:
        recorder, self.recorder = self.recorder, None
        if recorder is not None:
            recorder.__exit__(None if error is None else type(error), error, None)


class _Pairs(Dataset[Any]):
    """A data set of dictionaries as (input, label)."""

    def __init__(self, items: Any, inputs: str) -> None:
        self._items, self._inputs = items, inputs

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        item = self._items[index]
        label = next((item[name] for name in _LABELS if name in item), None)
        if label is None or self._inputs not in item:
            raise ValueError(
                f"items of validation must have {self._inputs!r} and one of {', '.join(_LABELS)}. "
                f"Got {', '.join(map(str, item))}. Give (images, labels), or a data set of such pairs."
            )
        images = item[self._inputs]
        return torch.as_tensor(images if isinstance(images, torch.Tensor) else np.asarray(images)), int(label)


def _pairs(validation: Any, inputs: str) -> Any:
    """Validation data as `Recorder` takes them."""
    has_items = hasattr(validation, "__getitem__") and hasattr(validation, "__len__") and len(validation) > 0
    return _Pairs(validation, inputs) if has_items and isinstance(validation[0], Mapping) else validation


def _class_names(model: Any) -> list[str] | None:
    """Those of the model's configuration, unless they say nothing."""
    names = getattr(getattr(model, "config", None), "id2label", None) or {}
    said = [str(names[index]) for index in sorted(names)]
    return None if all(name == f"LABEL_{index}" for index, name in enumerate(said)) else said
