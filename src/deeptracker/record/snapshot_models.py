"""What do the snapshots of a training say once there is the network that they are of, and something to validate it on?

1. The user's function makes the network, once in every process; a snapshot's tensors are copied into it. From there on
   it is looked at by what the recorder looks with, so measures, kernels and predictions are what it would have written.
2. `tried` does so with one snapshot before anything is written: whether function, names, and validation fit each other
   is known at once. It follows a forward pass for the graph, and gives the samples and their pictures.
3. One thread computes, as with weights alone: the bytes do not depend on who did it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from torch import nn

from deeptracker.errors import DeepTrackerError
from deeptracker.record.dump import Dump
from deeptracker.record.evaluation import evaluate
from deeptracker.record.evaluations import EXAMPLES
from deeptracker.record.graph import network_of
from deeptracker.record.kernels import FirstConvolution
from deeptracker.record.measures import Measurer
from deeptracker.record.named import named_function
from deeptracker.record.network import WeightedLayer, arranged, unwrap, weighted_layers
from deeptracker.record.pictures import PictureMaker
from deeptracker.record.sample_set import Outcome, SampleSet
from deeptracker.record.snapshots import Snapshot
from deeptracker.record.state_names import matched
from deeptracker.record.validation import Inputs, split_batch
from deeptracker.record.validation_sets import ValidationSpec, open_validation
from deeptracker.record.weights import SnapshotError, open_weights
from deeptracker.schema import Network


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """`function`, package.module:function, makes the network; on what to validate; modules lie in `folder` too."""

    function: str
    validation: ValidationSpec | None
    folder: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What is known once one snapshot was looked at: `samples` is None without validation."""

    network: Network
    samples: SampleSet | None
    class_names: tuple[str, ...] | None


class LoadedModel:
    """The network in this process, and the validation data.

    `model`, its `layers` in the order of its modules, and `class_names` where the data know any.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        made = named_function(spec.function, folder=spec.folder)()
        if not isinstance(made, nn.Module):
            raise SnapshotError(f"{spec.function} must return a torch.nn.Module. It returned a {type(made).__name__}.")
        self.model = unwrap(made)
        self.layers: Sequence[WeightedLayer] = weighted_layers(self.model)
        self._batches: Iterable[Any] | None = None
        self.class_names: tuple[str, ...] | None = None
        self._samples: SampleSet | None = None
        if spec.validation is not None:
            self._batches, self.class_names = open_validation(spec.validation, folder=spec.folder)
            self._inputs = Inputs(self.model, spec.validation.preprocess)

    def load(self, snapshot: Snapshot, allow: Sequence[str]) -> None:
        """Give the network the weights of a snapshot; SnapshotError where names or shapes differ."""
        with open_weights(snapshot.path, allow=allow) as file:
            state = matched(self.model, file.state(), of_model=self._spec.function, of_file=snapshot.path)
            self.model.load_state_dict(state, strict=False)

    def tried(self) -> Tried:
        """Network, samples with pictures, and class names, with the weights that it has now."""
        example = None if self._batches is None else self.example
        network = network_of(self.model, self.layers, example)
        if self._batches is None or self._spec.validation is None:
            return Tried(network, None, None)
        pictures = PictureMaker(self._spec.validation.normalisation, self._batches)
        outcome = self.evaluated(pictures)
        made = pictures.pictures
        made = made if made is not None and len(made) == len(outcome.ids) else None
        return Tried(network, SampleSet(outcome.ids, outcome.labels, outcome.classes, made), self.class_names)

    def dump(self, iteration: int, measurer: Measurer, convolution: FirstConvolution | None, labels_crc32: int) -> Dump:
        """All that the recorder would have written at this iteration, but for what needs gradients or a step."""
        measured = measurer.weights()
        kernels = None if convolution is None else convolution.kernels()
        if self._batches is None:
            return Dump(iteration, measured, kernels)
        outcome = self.evaluated()
        if self._samples is None:
            self._samples = SampleSet(outcome.ids, outcome.labels, outcome.classes)
        if labels_checksum(self._samples) != labels_crc32:
            raise DeepTrackerError(
                "validation must give the same samples in the same order each time, in every process. It gave others. "
                "Use no random order, and no random choice of samples."
            )
        self._samples.check(outcome.ids, outcome.labels, complete=True)
        return Dump(iteration, measured, kernels, self._samples.predictions(outcome))

    def evaluated(self, pictures: PictureMaker | None = None) -> Outcome:
        """What the network says of every sample, with the weights that it has now; there must be validation data."""
        assert self._batches is not None
        return evaluate(self.model, self._batches, self._inputs, see=pictures.add if pictures else None)

    def inputs(self) -> Iterator[Any]:
        """What the network is given, batch by batch."""
        assert self._batches is not None
        for batch in self._batches:
            yield self._inputs(split_batch(batch)[0])

    def example(self) -> tuple[Any, ...]:
        """The arguments of one call of the network: the first few samples."""
        assert self._batches is not None
        images, _ = split_batch(next(iter(self._batches), None))
        return (self._inputs(images[:EXAMPLES] if hasattr(images, "shape") else images),)


def labels_checksum(samples: SampleSet | None) -> int:
    """A number that tells the samples of one validation set from those of another; 0 without any."""
    return 0 if samples is None else zlib.crc32(samples.labels.astype(np.int32).tobytes())


@lru_cache(maxsize=1)
def loaded_model(spec: ModelSpec) -> LoadedModel:
    """The network in this process: made once, for all blocks that it measures."""
    return LoadedModel(spec)


def looked_at(
    spec: ModelSpec, network: Network, before: Snapshot | None, snapshots: Sequence[Snapshot], labels_crc32: int,
    allow: Sequence[str],
) -> list[Dump]:  # fmt: skip
    """The dumps of some snapshots after each other, that of the one before first, without predictions."""
    model = loaded_model(spec)
    layers = arranged(model.layers, network)
    measurer, convolution = Measurer(layers), FirstConvolution.of(layers)
    dumps = []
    for snapshot in () if before is None else (before,):
        model.load(snapshot, allow)
        dumps.append(Dump(snapshot.iteration, measurer.weights()))
    for snapshot in snapshots:
        model.load(snapshot, allow)
        dumps.append(model.dump(snapshot.iteration, measurer, convolution, labels_crc32))
    return dumps
