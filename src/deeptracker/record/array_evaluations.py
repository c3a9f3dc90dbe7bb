"""What does a framework's output say of every validation sample, without torch?

1. Outputs are logits (samples, classes), or one logit a sample (two classes); rows that are non-negative and sum to 1
   at the first dump are probabilities. From them follows what `evaluation.py` makes of a model's outputs: the predicted
   class, the probability of the true one, and the loss.
2. The samples are known from the beginning: labels, and pictures where there are images. The first outputs fix how many
   classes there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.record.array_layers import on_host
from deeptracker.record.pictures import PictureMaker
from deeptracker.record.sample_set import Outcome, SampleSet
from deeptracker.schema import UNDEFINED, Predictions
from deeptracker.store.blobs import Blobs
from deeptracker.store.samples import Samples

_SUM_TOLERANCE = 1e-3
_PICTURES_AT_ONCE = 256


class ArrayEvaluations:
    """All evaluations of one recorder, of samples with these labels (n,) or one-hot (n, classes)."""

    has_collected = False

    def __init__(
        self, images: Any, labels: Any, ids: Sequence[Any] | None, normalisation: tuple[Any, Any] | None
    ) -> None:
        self._labels = None if labels is None else _as_labels(labels)
        count = 0 if self._labels is None else len(self._labels)
        for name, values in (("images", images), ("ids", ids)):
            if values is not None and len(values) != count:
                raise ValueError(f"validation must have a label for each of its {name}. Got {count} for {len(values)}.")
        self._ids = [str(i) for i in (range(count) if ids is None else ids)]
        self._images, self._normalisation = images, normalisation
        self._are_probabilities: bool | None = None
        self._samples: SampleSet | None = None
        self.picture_error: Exception | None = None

    def continue_with(self, samples: Samples | None) -> None:
        """Take over the samples of a run that is continued; ValueError if the validation data has others."""
        if samples is not None:
            self._samples = SampleSet.stored(samples)
            if self._labels is not None:
                self._samples.check(self._ids, self._labels, complete=True)

    def evaluate(self, outputs: Any) -> tuple[Predictions, float]:
        """Predictions in class order, and the error rate."""
        if self._labels is None:
            raise ValueError("predictions must have labels to be held against. Give the recorder validation=(x, y).")
        scores = _scores(on_host(outputs))
        if len(scores) != len(self._labels):
            raise ValueError(
                f"predictions must have a row for each label, in the same order. "
                f"Got {len(scores)} for {len(self._labels)} labels."
            )
        if self._are_probabilities is None:
            self._are_probabilities = bool((scores >= 0).all() and (abs(scores.sum(1) - 1) < _SUM_TOLERANCE).all())
        outcome = judged(self._ids, self._labels, scores, are_probabilities=self._are_probabilities)
        if self._samples is None:
            self._samples = SampleSet(self._ids, self._labels, outcome.classes, self._pictures())
        self._samples.check(outcome.ids, outcome.labels, complete=True)
        return self._samples.predictions(outcome), outcome.error_rate

    def take_collected(self) -> tuple[int, Predictions]:
        """There is never anything: outputs come all at once."""
        raise ValueError("an evaluation must be collected before it is taken. Got none.")

    def write_samples(self, blobs: Blobs) -> None:
        """Write the samples unless they are; called by the writer thread before the first predictions."""
        if self._samples is not None:
            self._samples.write(blobs)

    def _pictures(self) -> list[bytes] | None:
        images, self._images = self._images, None
        if images is None:
            return None
        maker = PictureMaker(self._normalisation)
        for first in range(0, len(images), _PICTURES_AT_ONCE):
            batch = on_host(images[first : first + _PICTURES_AT_ONCE])
            maker.add(batch[..., None] if batch.ndim == 3 else batch)
        self.picture_error = maker.error
        return maker.pictures


def judged(
    ids: Sequence[str],
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    *,
    are_probabilities: bool,
) -> Outcome:
    """What scores (n, classes) say of samples; ValueError if a label is none of the classes.

    A row that has no softmax is UNDEFINED, as in `evaluation.py`.
    """
    classes = scores.shape[1]
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise ValueError(f"labels must be in 0..{classes - 1}, one for each output. Got {int(wrong[0])}.")
    with np.errstate(all="ignore"):  # NaN and infinities are data
        logs = np.log(scores) if are_probabilities else _log_softmax(scores)
        undefined = np.isnan(logs).any(1)
        true = np.where(undefined, np.float32(np.nan), logs[np.arange(len(labels)), labels])
        probability, loss = np.exp(true).astype(np.float16), abs(true).astype(np.float16)
    predicted = np.where(undefined, UNDEFINED, np.argmax(logs, axis=1)).astype(np.int64)
    return Outcome(ids, labels, predicted, probability, loss, classes)


def _log_softmax(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    shifted = scores - scores.max(1, keepdims=True)
    result: npt.NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return result


def _scores(outputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """float32 (n, classes) from what a model gives."""
    scores = outputs.astype(np.float32)
    if scores.ndim == 1 or (scores.ndim == 2 and scores.shape[1] == 1):
        scores = scores.reshape(-1)
        return np.stack([np.zeros_like(scores), scores], 1)
    if scores.ndim != 2:
        raise ValueError(f"predictions must be (samples, classes). Got shape {scores.shape}.")
    return scores


def _as_labels(labels: Any) -> npt.NDArray[np.int64]:
    values = on_host(labels)
    if values.ndim == 2:
        values = values[:, 0] if values.shape[1] == 1 else values.argmax(1)
    if values.ndim != 1:
        raise ValueError(f"labels must be class numbers (n,) or one-hot (n, classes). Got shape {values.shape}.")
    return values.astype(np.int64)
