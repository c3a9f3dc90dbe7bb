"""Where do a run's predictions come from: the recorder's own evaluation, or the user's?

1. With validation data the recorder evaluates. The first evaluation fixes the samples (`sample_set.py`) and makes their
   pictures; every later one must give the same labels in the same order.
2. The user's own evaluation comes batch by batch, and is complete once training goes on.
3. Of several processes each evaluates its share (`shards.py`). They find the samples together, when the recorder is
   made; from then on each knows which are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from deeptracker.record.evaluation import Judge, evaluate, read_labels
from deeptracker.record.losses import unknown_samples
from deeptracker.record.pictures import PictureMaker
from deeptracker.record.preserve import undisturbed
from deeptracker.record.ranks import ALONE, Ranks
from deeptracker.record.sample_set import Outcome, SampleSet
from deeptracker.record.shards import Shard, merged_ids, shard_of
from deeptracker.record.validation import Inputs, as_labels, split_batch
from deeptracker.record.writer import Failure
from deeptracker.schema import Predictions
from deeptracker.store.blobs import Blobs
from deeptracker.store.samples import Samples

EXAMPLES = 2
"""Images of an example input: one alone is refused by some models, more would only take time."""


class Evaluations:
    """All evaluations of one recorder. `unknown` counts samples of the last one that the run does not have."""

    def __init__(
        self,
        model: nn.Module,
        validation: Any,
        *,
        preprocess: Callable[[Any], Any] | None,
        normalisation: tuple[Any, Any] | None,
        batch_size: int,
        ids: Sequence[Any] | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self._model = model
        self._ranks = ranks
        self._shard = None if validation is None else shard_of(validation, ids, ranks, batch_size=batch_size)
        self._batches = None if self._shard is None else self._shard.batches
        self.is_beginning = True
        self._inputs = Inputs(model, preprocess)
        self._normalisation = normalisation
        self._samples: SampleSet | None = None
        self._collected: _Collected | None = None
        self.picture_error: Exception | None = None
        self.unknown = 0

    @property
    def has_data(self) -> bool:
        """Is there validation data to evaluate on?"""
        return self._batches is not None

    @property
    def has_collected(self) -> bool:
        """Has the user handed in an evaluation that is not written yet?"""
        return self._collected is not None

    @property
    def class_names(self) -> list[str] | None:
        """Those that the data set has itself, as torchvision's do in `classes`."""
        names = getattr(getattr(self._batches, "dataset", None), "classes", None)
        return [str(name) for name in names] if isinstance(names, (list, tuple)) else None

    def labels(self) -> npt.NDArray[np.int32] | None:
        """True labels of the run's samples in class order, int32 (samples,); None until they are known."""
        return None if self._samples is None else self._samples.labels

    def continue_with(self, samples: Samples | None) -> None:
        """Take over the samples of a run that is continued; ValueError if the validation data has others."""
        if samples is None:
            return
        self._samples = SampleSet.stored(samples)
        if self._batches is not None:
            self._ranks.gathered(self._check_labels)

    def example(self, given: Any) -> Callable[[], tuple[Any, ...]] | None:
        """How to get the arguments of a call of the model: what is given, or the first images; None without both."""
        if given is not None:
            return lambda: given if isinstance(given, tuple) else (given,)
        return None if self._batches is None else lambda: (self._first_images(),)

    def evaluate(self) -> tuple[Predictions, float]:
        """Evaluate on the validation data: predictions in class order, and the error rate."""
        batches = self._with_data()
        pictures = PictureMaker(self._normalisation, batches) if self._samples is None else None
        shard = self._shard or Shard(batches)
        if shard.is_whole:
            outcome = self._outcome(shard, pictures)
            return self._in_order(outcome, pictures, complete=True), outcome.error_rate
        outcome = self._outcome(shard, None) if pictures is None else self._found_together(shard, pictures)
        return self._of_share(outcome), outcome.error_rate

    def collect(self, iteration: int, ids: Sequence[Any], labels: Any, probabilities: Any, images: Any) -> None:
        """Take a batch of the user's own evaluation."""
        if not self._ranks.leads:
            raise ValueError(f"predictions must be handed in on rank 0, of all. Got some on {self._ranks.rank}.")
        if self._collected is None:
            pictures = PictureMaker(self._normalisation) if self._samples is None and images is not None else None
            self._collected = _Collected(iteration, pictures)
        self._collected.add(ids, labels, probabilities, images)

    def take_collected(self) -> tuple[int, Predictions]:
        """What was collected: its iteration, and predictions in class order."""
        collected, self._collected = self._collected, None
        if collected is None:
            raise ValueError("an evaluation must be collected before it is taken. Got none.")
        return collected.iteration, self._in_order(collected.outcome(), collected.pictures, complete=False)

    def troubles(self, iteration: int) -> list[Failure]:
        """What went wrong with pictures and samples of the newest evaluation, once."""
        error, unknown = self.picture_error, self.unknown
        self.picture_error, self.unknown = None, 0
        pictures = [] if error is None else [Failure("pictures", iteration, error)]
        return pictures + ([unknown_samples(unknown, iteration)] if unknown else [])

    def write_samples(self, blobs: Blobs) -> None:
        """Write the samples unless they are; called by the writer thread before the first predictions."""
        if self._samples is not None and self._ranks.leads:
            self._samples.write(blobs)

    def _outcome(self, shard: Shard, pictures: PictureMaker | None) -> Outcome:
        return shard.named(evaluate(self._model, shard.batches, self._inputs, see=pictures.add if pictures else None))

    def _found_together(self, shard: Shard, pictures: PictureMaker) -> Outcome:
        """The first evaluation of several processes, which fixes the samples of the run for all of them."""
        if not self.is_beginning:
            raise ValueError(
                "the samples of a distributed training must be known since its recorders were made. They could not be "
                "found then. Make the Recorder anew with resume=ITERATION"
            )
        pictures.scaling = self._ranks.agreed(lambda: pictures.look(self._first_batch()))
        mine: list[Outcome] = []

        def of_this_process() -> tuple[list[str], Any, int]:
            mine.append(self._outcome(shard, pictures))
            return list(mine[0].ids), mine[0].labels, mine[0].classes

        shares = self._ranks.gathered(of_this_process)
        made = self._ranks.sent_to_leader(shard.kept(pictures.pictures, mine[0]))
        self.picture_error = pictures.error
        chosen = merged_ids([ids for ids, _, _ in shares])
        has_pictures = bool(made) and all(of_rank is not None for of_rank in made)
        self._samples = SampleSet(
            [shares[rank][0][place] for rank, place in chosen],
            np.array([shares[rank][1][place] for rank, place in chosen], np.int64),
            max(classes for _, _, classes in shares),
            [(made[rank] or [])[place] for rank, place in chosen] if has_pictures else None,
        )
        return mine[0]

    def _of_share(self, outcome: Outcome) -> Predictions:
        if self._samples is None:
            raise ValueError("samples must be known before a share of them is recorded")
        unknown = self._samples.check(outcome.ids, outcome.labels, complete=False)
        if unknown:
            raise ValueError(f"validation must have the run's samples each time. {unknown} are not among them.")
        return self._samples.share(outcome)

    def _check_labels(self) -> None:
        shard = self._shard
        if shard is not None and self._samples is not None:
            labels = read_labels(self._model, shard.batches)
            nothing = np.zeros(len(labels), np.float16)
            ids = [str(i) for i in range(len(labels))]
            outcome = shard.named(Outcome(ids, labels, labels, nothing, nothing, 0))
            self._samples.check(outcome.ids, outcome.labels, complete=shard.is_whole)

    def _first_images(self) -> Any:
        images = self._first_batch()
        with undisturbed(self._model, self._batches):
            return self._inputs(images[:EXAMPLES] if hasattr(images, "shape") else images)

    def _first_batch(self) -> Any:
        with undisturbed(self._model, self._batches):
            return split_batch(next(iter(self._with_data()), None))[0]

    def _with_data(self) -> Iterable[Any]:
        if self._batches is None:
            raise ValueError("validate() must have data to evaluate on. Give the Recorder validation=LOADER.")
        return self._batches

    def _in_order(self, outcome: Outcome, pictures: PictureMaker | None, *, complete: bool) -> Predictions:
        if self._samples is None:
            made = None if pictures is None else pictures.pictures
            self.picture_error = None if pictures is None else pictures.error
            made = made if made is not None and len(made) == len(outcome.ids) else None
            self._samples = SampleSet(outcome.ids, outcome.labels, outcome.classes, made)
        self.unknown = self._samples.check(outcome.ids, outcome.labels, complete=complete)
        return self._samples.predictions(outcome)


class _Collected:
    """The batches of one evaluation of the user's."""

    def __init__(self, iteration: int, pictures: PictureMaker | None) -> None:
        self.iteration = iteration
        self.pictures = pictures
        self._ids: list[str] = []
        self._judge = Judge(probabilities=True)

    def add(self, ids: Sequence[Any], labels: Any, probabilities: Any, images: Any) -> None:
        scores = torch.as_tensor(np.asarray(probabilities) if isinstance(probabilities, list) else probabilities)
        if scores.ndim != 2 or scores.shape[1] < 2:
            raise ValueError(f"probabilities must have shape (n, classes). Got {tuple(scores.shape)}.")
        names = [str(x.item() if hasattr(x, "item") else x) for x in ids]
        if len(names) != len(scores):
            raise ValueError(f"ids must have one for each row of probabilities. Got {len(names)} for {len(scores)}.")
        with torch.no_grad():
            self._judge.add(scores, as_labels(labels))
        self._ids += names
        if self.pictures is not None and images is not None:
            self.pictures.add(images)

    def outcome(self) -> Outcome:
        return self._judge.outcome(self._ids)
