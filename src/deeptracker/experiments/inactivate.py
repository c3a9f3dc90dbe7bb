"""How are filters of a model inactivated, so that they are zero for any input? (paper, 8.2)

1. Their weights and biases become zero (filters_in_weights.py), and so do scale, shift and running mean of the channels
   of a normalisation that belong to them alone (norms.py): otherwise it would turn the zeros into a constant.
2. Both are checked on a few images: the outputs of the layers must be zero, and those of the normalisations. Where a
   layer's are not, as with standardised weights, which zeros make NaN, the experiment is refused. Where a normalisation
   has nothing that could be set, it is told.
3. An activation that is not zero at zero (a sigmoid, a softplus) follows as ever: the filter is a constant then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from deeptracker.experiments.errors import ExperimentError
from deeptracker.experiments.filters_in_weights import Changed, zero
from deeptracker.experiments.norms import watched
from deeptracker.experiments.probing import Channels, Chosen, Probe, hook, output_dimension
from deeptracker.record.network import WeightedLayer
from deeptracker.store.experiments import FilterGroup, in_words


class Inactivator:
    """Inactivates filters of a model; `example` are the arguments of one call, a few images."""

    def __init__(self, model: nn.Module, layers: Sequence[WeightedLayer], example: tuple[Any, ...]) -> None:
        self._probe = Probe(model, layers, example)

    @contextmanager
    def inactivated(self, groups: Sequence[FilterGroup]) -> Iterator[tuple[str, ...]]:
        """Within it these filters are zero; after it all is as before. Gives sentences on what could not be done.

        ExperimentError where outputs of the layers are not zero.
        """
        chosen = [(self._probe.layers[group.layer], group.filters) for group in groups]
        channels = self._probe.norm_channels(chosen)
        with Changed() as changed:
            for layer, filters in chosen:
                zero(changed, self._probe.model, layer, filters)
            for norm, mask in channels.values():
                for tensor in norm.tensors:
                    changed.keep(tensor).reshape(-1)[mask] = 0
            yield self._checked(chosen, channels)

    def _checked(self, chosen: Chosen, channels: Channels) -> tuple[str, ...]:
        """Run once more and look: ExperimentError, or sentences."""
        notes = []
        with ExitStack() as stack:
            outputs = [_outputs(stack, self._probe.model, layer, filters) for layer, filters in chosen]
            norms = watched(self._probe.run)
        for (layer, filters), largest in zip(chosen, outputs, strict=True):
            name = layer.layer.name
            if any(not value == 0 for value in largest):  # NaN is not
                raise ExperimentError(
                    f"filters must give zero once their weights and biases are. Those of {name} ({_listed(filters)}) "
                    f"give {max(largest, key=abs):g}: {_why(largest)}. Choose filters of other layers."
                )
            if not largest:
                notes.append(f"{name}: weights and biases are zero; what comes of them could not be watched.")
        for key, (_, mask) in channels.items():
            left = int((mask & ~norms[key].quiet).sum()) if key in norms else 0
            if left:
                notes.append(
                    f"{left} of the {int(mask.sum())} channels are given values again by a {norms[key].kind} "
                    "normalisation without a shift, and stay a constant."
                )
        return tuple(notes)


def _outputs(stack: ExitStack, model: nn.Module, layer: WeightedLayer, filters: Sequence[int]) -> list[float]:
    """Filled, while the model runs, with the largest magnitude that the filters give in each module that uses them."""
    found: list[float] = []

    def look(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            own = torch.tensor(list(filters), device=output.device)
            found.append(float(output.index_select(output_dimension(layer), own).abs().max()))

    hook(stack, model, layer, look)
    return found


def _why(largest: Sequence[float]) -> str:
    is_nan = any(value != value for value in largest)
    return "their weights are divided by their own size" if is_nan else "something is added to them"


def _listed(filters: tuple[int, ...]) -> str:
    return in_words([FilterGroup("", filters)]).removeprefix(":")
