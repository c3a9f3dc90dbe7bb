"""Which tensor of a file belongs to which of a model, although wrappers have put something before the names?

1. Names as they are, first. Else one prefix before all of the model's (`model.` of Lightning): what has another is of
   the wrapper (a loss, a second copy), and is left. `model.` is preferred; of several others none is guessed.
2. Every name of the model must be there, but for weights that it shares with one that is, and for the counters of batch
   normalisation, which older files lack; and under the prefix there must be no others.
3. Shapes must be equal.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from deeptracker.record.weights import SnapshotError

_PREFERRED = "model."
_COUNTER = "num_batches_tracked"
_SHOWN = 6


def matched(
    model: nn.Module, state: Mapping[str, torch.Tensor], *, of_model: str, of_file: str
) -> dict[str, torch.Tensor]:
    """The tensors of a file by the model's own names, as `load_state_dict` takes them.

    SnapshotError, which names what is missing and what is unexpected, unless the file is one of this model.
    """
    wanted = {key: value for key, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
    prefix = _prefix(wanted, state, of_model, of_file)
    there = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    own = {_without_wrappers(key): key for key in wanted}
    missing = _missing(wanted, own, there)
    unexpected = [name for name in there if name not in own]
    if missing or unexpected:
        raise SnapshotError(
            f"the model of {of_model} must have the names that are in {of_file}."
            f"{_listed('In the file there is no', missing)}{_listed('In the model there is no', unexpected)} "
            "Give the function that made the network which was saved, with the same arguments."
        )
    for name, value in there.items():
        if value.shape != wanted[own[name]].shape:
            raise SnapshotError(
                f"the model of {of_model} must have the shapes that are in {of_file}. There {name!r} is "
                f"{_times(value)}, in the model {_times(wanted[own[name]])}. "
                "Give the same arguments (number of classes, widths) as in training."
            )
    return {own[name]: value for name, value in there.items()}


def _prefix(wanted: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor], of_model: str, of_file: str) -> str:
    names = {_without_wrappers(key) for key in wanted if not key.endswith(_COUNTER)}
    if not names or names & state.keys():
        return ""
    last = max(names, key=len)
    found = [key.removesuffix(last) for key in state if key.endswith(f".{last}")]
    found = [prefix for prefix in found if all(f"{prefix}{name}" in state for name in names)]
    if len(found) > 1 and _PREFERRED not in found:
        raise SnapshotError(
            f"{of_file} must hold the model of {of_model} once. It does below {', '.join(found)}. "
            "Give a function that makes the whole of what was saved."
        )
    return _PREFERRED if _PREFERRED in found else next(iter(found), "")


def _missing(
    wanted: Mapping[str, torch.Tensor], own: Mapping[str, str], there: Mapping[str, torch.Tensor]
) -> list[str]:
    shared = {_memory(wanted[key]) for name, key in own.items() if name in there}
    return [
        name
        for name, key in own.items()
        if name not in there and not name.endswith(_COUNTER) and _memory(wanted[key]) not in shared
    ]


def _memory(tensor: torch.Tensor) -> tuple[object, ...]:
    """What two tensors have in common that are one."""
    return (tensor.data_ptr(), tuple(tensor.shape)) if tensor.numel() else (id(tensor),)


def _without_wrappers(key: str) -> str:
    return ".".join(part for part in key.split(".") if part != "_orig_mod")


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f" {what} {', '.join(names[:_SHOWN])}{more}."


def _times(tensor: torch.Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
