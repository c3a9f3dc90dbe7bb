"""Which samples are likely to have a wrong label? A score from what was predicted of each during the whole training.

1. A dump is one opinion on every sample. Their mixture is sought that makes the labels as they are the most likely: a
   weight for each dump, by expectation maximisation (`dump_weights`). So dumps that know little, or that are too sure,
   count little, and where many dumps are good their mean is better than any of them; the idea of ensembles from one
   training (Caruana et al., 2004; Huang et al., 2017) and of the mean over the training as in Swayamdipta et al.,
   Dataset Cartography (2020).
2. A label is the more suspicious the less probability that mixture gives it: the surprise, -ln p.
3. Confusion that is common in a class says little of a label: a cat that is taken for a dog is a hard cat. So the
   surprise counts more where the sample is taken for a class that others of its own are hardly ever taken for, as in
   confident learning (Northcutt et al., 2021): `RARITY` times the share of dumps at which it is, times -ln of how often
   that is so in its class.

Where no probabilities were recorded, right and wrong predictions stand for high and low ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeptracker.schema import MISSING

Floats = NDArray[np.float32]

RARITY = 0.3
LEAST_PROBABILITY = 1e-4
"""What is less probable than this is as surprising as this: float16 and overconfidence tell no more."""

IF_RIGHT, IF_WRONG = 0.9, 0.05
"""Stand for the probability of the true class where none was recorded."""

MOST_ROUNDS, ENOUGH = 200, 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Suspects:
    """Samples, in class order or the most suspicious first; all arrays are (n,).

    `samples` int32, their indexes; `score` float32, the higher the more suspicious; `taken_for` int32, the class that
    they were taken for the most in place of their own, -1 for none; `share` float32, how often, and `commonness`
    float32, how often their class is; `probability` float32 of the true class. Shares and probabilities are means over
    dumps, weighted as by `dump_weights`.
    """

    samples: NDArray[np.int32]
    score: Floats
    taken_for: NDArray[np.int32]
    share: Floats
    commonness: Floats
    probability: Floats


def true_probability(predicted: NDArray[np.integer], truth: ArrayLike, probability: NDArray[np.float16]) -> Floats:
    """float32 (samples, dumps): the recorded one, or what stands for it; NaN where nothing is known.

    `predicted` int and `probability` (samples, dumps), `truth` int (samples,) or one class.

    >>> true_probability(np.array([[1, 2, -1]]), 1, np.array([[0.5, np.nan, np.nan]], np.float16)).round(2).tolist()
    [[0.5, 0.05000000074505806, nan]]
    """
    found = probability.astype(np.float32)
    lacking = np.isnan(found)
    if lacking.any():
        right = predicted == np.asarray(truth)[..., None]
        stands = np.where(right, np.float32(IF_RIGHT), np.float32(IF_WRONG))
        found = np.where(lacking & (predicted != MISSING), stands, found)
    return found


def dump_weights(probability: Floats) -> Floats:
    """float32 (dumps,), 1 in all: the mixture of dumps that explains the labels best.

    `probability` float32 (samples, dumps), of the true class. Samples of which a dump lacks are left out; where that
    leaves none, all dumps weigh the same.

    >>> dump_weights(np.array([[0.5, 0.9], [0.5, 0.8], [0.5, 0.9]], np.float32)).round(2).tolist()
    [0.0, 1.0]
    """
    dumps = probability.shape[1]
    known = probability[~np.isnan(probability).any(axis=1)]
    weights: Floats = np.full(dumps, 1 / max(dumps, 1), np.float32)
    if not len(known):
        return weights
    known = np.maximum(known, np.float32(LEAST_PROBABILITY))
    for _ in range(MOST_ROUNDS):
        before = weights
        weights = (weights * ((1 / (known @ weights)) @ known) / len(known)).astype(np.float32)
        if np.abs(weights - before).sum() < ENOUGH:
            break
    return np.asarray(weights / weights.sum(), np.float32)


def suspects_of_class(
    predicted: NDArray[np.integer], truth: int, probability: Floats, weights: Floats, first: int = 0
) -> Suspects:
    """The samples of class `truth`, in their order; their indexes begin at `first`.

    `predicted` int (samples, dumps), -1 where missing; `probability` as from `true_probability`; `weights` (dumps,).

    >>> predicted = np.array([[0, 0], [0, 0], [2, 2]])
    >>> found = suspects_of_class(predicted, 0, np.array([[0.9], [0.8], [0.1]]) * np.ones(2), np.ones(2) / 2)
    >>> int(found.score.argmax()), found.taken_for.tolist(), found.share.tolist()
    (2, [-1, -1, 2], [0.0, 0.0, 1.0])
    """
    known = predicted != MISSING
    total = np.maximum(known @ weights, 1e-9)
    mean = np.where(np.isnan(probability), 0, probability) @ weights
    has = ~np.isnan(probability) @ weights
    mean = np.where(has > 0, mean / np.maximum(has, 1e-9), 1.0)
    taken_for, share, commonness = _rival(predicted, truth, weights, total)
    surprise = -np.log(np.maximum(mean, LEAST_PROBABILITY))
    score = surprise - RARITY * share * np.log(commonness)
    return Suspects(
        np.arange(first, first + len(predicted), dtype=np.int32),
        score.astype(np.float32),
        taken_for,
        share.astype(np.float32),
        commonness.astype(np.float32),
        mean.astype(np.float32),
    )


def ranked(parts: Sequence[Suspects]) -> Suspects:
    """All of them in one order, the most suspicious first; of equal ones the lower index. At least one part."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Suspects.__dataclass_fields__}
    order = np.argsort(-columns["score"], kind="stable")
    return Suspects(**{name: values[order] for name, values in columns.items()})


def _rival(
    predicted: NDArray[np.integer], truth: int, weights: Floats, total: NDArray[np.floating]
) -> tuple[NDArray[np.int32], NDArray[np.floating], NDArray[np.floating]]:
    """Of each sample the other class that it is taken for the most, how often, and how often its class is.

    A sample is counted as half a one among those of its class, so that what never happens is not impossible.
    """
    shares = _shares(predicted, weights) / total[:, None]
    shares[:, truth : truth + 1] = 0
    commonness = (shares.sum(axis=0) + 0.5) / (len(predicted) + 0.5)
    best = shares.argmax(axis=1)
    share = shares[np.arange(len(shares)), best]
    return np.where(share > 0, best, -1).astype(np.int32), share, commonness[best]


def _shares(predicted: NDArray[np.integer], weights: Floats) -> NDArray[np.float64]:
    """(samples, labels): the weight of the dumps at which each sample was taken for each label, at least one label."""
    labels = max(int(predicted.max(initial=0)) + 1, 1)
    sample, dump = np.nonzero(predicted >= 0)
    cell = sample * labels + predicted[sample, dump]
    counted = np.bincount(cell, weights=weights[dump], minlength=len(predicted) * labels)
    return np.asarray(counted, np.float64).reshape(len(predicted), labels)
