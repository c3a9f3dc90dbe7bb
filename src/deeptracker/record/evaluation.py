"""What does the model say of every validation sample, without training noticing?

1. The model is put in eval mode, gradients and autocast's cache off, and everything put back (`preserve.py`).
2. Outputs are logits (samples, classes), or one logit a sample (two classes). Rows that are non-negative and sum to 1
   in the first batch are probabilities and used as they are; log-probabilities are logits already.
3. In float32: the true class's probability, and the loss, -log of it. A row without a softmax (NaN, +inf) is no
   prediction: UNDEFINED, which no label equals, so it counts as wrong.
4. Results stay on the device until the last batch: one transfer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from deeptracker.record.preserve import undisturbed
from deeptracker.record.sample_set import Outcome
from deeptracker.record.validation import as_labels, split_batch
from deeptracker.schema import UNDEFINED

_SUM_TOLERANCE = 1e-3


def evaluate(
    model: nn.Module,
    batches: Iterable[Any],
    inputs: Callable[[Any], Any],
    *,
    see: Callable[[Any], None] | None = None,
) -> Outcome:
    """Run the model over all batches; `see` is shown each batch's images as they came."""
    judge = Judge()
    device = next(model.parameters()).device.type
    as_the_user_has_it = autocast_without_cache(device)
    with undisturbed(model, batches), torch.autocast(device, enabled=False):
        for batch in batches:
            images, labels = split_batch(batch)
            with as_the_user_has_it:
                output = model(inputs(images))
            judge.add(output, as_labels(labels))
            if see is not None:
                see(images)
        return judge.outcome()


def read_labels(model: nn.Module, batches: Iterable[Any]) -> npt.NDArray[np.int64]:
    """Labels of all batches, int64 (n,), without asking the model."""
    with undisturbed(model, batches):
        found = [as_labels(split_batch(batch)[1]).cpu().numpy() for batch in batches]
    return np.concatenate(found)


class Judge:
    """Gathers outputs and labels of batches, and says what was predicted."""

    def __init__(self, *, probabilities: bool | None = None) -> None:
        self._probabilities = probabilities
        self._classes = 0
        self._labels: list[torch.Tensor] = []
        self._results: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def add(self, output: Any, labels: torch.Tensor) -> None:
        """Take a batch; ValueError if outputs and labels do not fit each other."""
        scores = _scores(output)
        if len(scores) != len(labels):
            raise ValueError(f"a batch must have an output for each label. Got {len(scores)} for {len(labels)} labels.")
        if self._probabilities is None:
            self._probabilities = _are_probabilities(scores)
        self._classes = scores.shape[1]
        wrong = labels[(labels < 0) | (labels >= self._classes)]
        if len(wrong):
            raise ValueError(f"labels must be in 0..{self._classes - 1}, one for each output. Got {int(wrong[0])}.")
        logs = scores.log() if self._probabilities else scores.log_softmax(1)
        true = logs.gather(1, labels.to(logs.device)[:, None])[:, 0]
        undefined = logs.isnan().any(1)
        predicted = logs.argmax(1).masked_fill(undefined, UNDEFINED)
        true = true.masked_fill(undefined, torch.nan)
        self._labels.append(labels)
        self._results.append((predicted, true.exp().half(), true.abs().half()))

    def outcome(self, ids: Sequence[str] | None = None) -> Outcome:
        """Everything taken so far; samples are called by their number where they have no ids."""
        if not self._results:
            raise ValueError("validation must have at least one batch. Got none.")
        predicted, probability, loss = (torch.cat(parts).cpu().numpy() for parts in zip(*self._results, strict=True))
        labels = torch.cat([part.cpu() for part in self._labels]).numpy()
        names = [str(i) for i in range(len(labels))] if ids is None else ids
        return Outcome(names, labels, predicted, probability, loss, self._classes)


def _scores(output: Any) -> torch.Tensor:
    """float32 (n, classes) from what a model returns."""
    if isinstance(output, Mapping) and "logits" in output:
        output = output["logits"]
    elif hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, (tuple, list)) and output:
        output = output[0]
    if not isinstance(output, torch.Tensor):
        raise TypeError(
            f"the model must return a tensor (samples, classes). Got a {type(output).__name__}. "
            "Hand in your own evaluation: recorder.predictions(ids, labels, probabilities)"
        )
    scores = output.detach().float()
    if scores.ndim == 1 or (scores.ndim == 2 and scores.shape[1] == 1):
        scores = scores.reshape(-1)
        return torch.stack([torch.zeros_like(scores), scores], 1)
    if scores.ndim != 2:
        raise ValueError(f"the model must return (samples, classes). Got shape {tuple(scores.shape)}.")
    return scores


def _are_probabilities(scores: torch.Tensor) -> bool:
    sums = scores.sum(1)
    return bool(((scores >= 0).all() & ((sums - 1).abs() < _SUM_TOLERANCE).all()).item())


def autocast_without_cache(kind: str) -> Any:
    """What the user's autocast is, but for its cache: weights cast here, without gradients, must not reach training."""
    enabled = torch.is_autocast_enabled(kind)
    return torch.autocast(kind, dtype=torch.get_autocast_dtype(kind), enabled=enabled, cache_enabled=False)
