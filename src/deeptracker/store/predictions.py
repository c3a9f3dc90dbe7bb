"""How do the columns of a dump's prediction files become the predictions of all samples?

A file has all samples in order, or names those that it has; each process of a distributed run writes its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deeptracker.schema import Predictions
from deeptracker.store.columns import Columns


def predictions_in(columns: Columns, samples: int) -> Predictions:
    """What one file holds, of a run that has so many samples. ValueError, to follow its name, where it does not fit."""
    found = {name: columns.numpy(name) for name in columns.arrays}
    piece = Predictions(found["predicted"], found["probability"], found.get("loss"), found.get("sample"))
    if not np.issubdtype(piece.predicted.dtype, np.signedinteger):
        raise ValueError(f"must hold signed integers as predicted classes. It holds {piece.predicted.dtype}.")
    if piece.samples is None:
        if len(piece.predicted) != samples:
            raise ValueError(f"must have {samples} samples. It has {len(piece.predicted)}.")
    elif len(piece.samples) and (piece.samples.min() < 0 or piece.samples.max() >= samples):
        named = f"{piece.samples.min()} to {piece.samples.max()}"
        raise ValueError(f"must name samples in 0..{samples - 1}. It names {named}.")
    return piece


def merged_predictions(pieces: Sequence[Predictions], samples: int) -> Predictions:
    """All samples in order; one that several pieces have (padding of a distributed run) is taken once."""
    if len(pieces) == 1 and pieces[0].samples is None:
        return pieces[0]
    predicted = np.full(samples, -1, np.result_type(*[piece.predicted for piece in pieces]))
    probability = np.full(samples, np.nan, np.float16)
    loss = np.full(samples, np.nan, np.float16)
    for piece in pieces:
        rows = slice(None) if piece.samples is None else piece.samples
        predicted[rows] = piece.predicted
        probability[rows] = piece.probability
        if piece.loss is not None:
            loss[rows] = piece.loss
    return Predictions(predicted, probability, loss)
