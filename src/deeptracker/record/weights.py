"""What does a file of weights hold: which layers, and does it say at which iteration it was saved?

1. A file is mapped into memory: opening reads its table of contents, and a tensor comes from the disk as it is used.
   Files of torch are read with `weights_only=True`, so nothing in them is ever run but what the user allows by name.
2. Weights are the state dict that is the file itself, or lies in it under `state_dict`, `model_state_dict` or `model`.
   A folder that Hugging Face's Trainer saved is one file of weights as well (`weight_folders.py`).
3. What `torch.compile` and data-parallel wrappers put into names is taken out: a `module.` or `_orig_mod.` before all
   of them, and `_orig_mod` anywhere.
4. Which weights are layers, and what they are called, is told in `network.py`. A file has no modules, so the kind of a
   layer follows from its dimensions: an embedding counts as linear, and a transposed convolution as a convolution, its
   filters being dimension 0. Entries that share their memory (files of torch only) are one layer in several places.
5. Layers are in the order of the file. Where that is the alphabet's, as the safetensors library sorts, numbers in names
   count as numbers: `blocks.2` comes before `blocks.10`.

A file that is cut short is noticed; neither format has checksums of what is mapped, so a changed byte is not.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from deeptracker.errors import DeepTrackerError
from deeptracker.record.named import named_class
from deeptracker.record.network import is_scale, is_weight, layer_name
from deeptracker.record.weight_folders import files_of, said_in_folder
from deeptracker.schema import Layer

SAID_BY = ("iteration", "global_step", "step")
"""Entries of a file, or of its metadata, that say at which iteration it was saved."""

EPOCH = "epoch"
"""The entry that says after how many epochs; it counts where none says an iteration."""

_STATE_DICTS = ("state_dict", "model_state_dict", "model")
_WRAPPERS = ("module.", "_orig_mod.")
_KINDS = {2: "linear", 3: "conv1d", 4: "conv2d", 5: "conv3d"}


class SnapshotError(DeepTrackerError, ValueError):
    """A file of weights that cannot be used: cut short, of another format, without weights."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of weights while it is open.

    `layers` by name, in the order of the file, offsets all 0; those in `doubles` are float64; `said` are the iterations
    that it says it was saved at, by the name of the entry, `epoch` that it says.
    """

    layers: dict[str, Layer]
    doubles: frozenset[str]
    said: dict[str, int]
    epoch: int | None
    _tensors: dict[str, Callable[[], torch.Tensor]]
    _state: dict[str, Callable[[], torch.Tensor]]

    def tensor(self, layer: str) -> torch.Tensor:
        """The weight of a layer, mapped; float32, or float64 if the file has it so."""
        tensor = self._tensors[layer]().detach()
        return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()

    def state(self) -> dict[str, torch.Tensor]:
        """All tensors of the state dict, mapped, as they are; names without what wrappers have put into them."""
        return {key: tensor().detach() for key, tensor in self._state.items()}


@contextmanager
def open_weights(path: str, *, allow: Sequence[str] = ()) -> Iterator[WeightsFile]:
    """Open a file with one of FORMATS, or a folder of Hugging Face's; SnapshotError if it cannot be read or has none.

    `allow` names classes, `package.module.Class`, that a file of torch may hold besides weights and plain values.
    """
    with ExitStack() as stack:
        try:
            entries: dict[str, _Entry] = {}
            says: dict[str, Any] = {}
            for part in files_of(path):
                more, told = FORMATS[Path(part).suffix.lower()](part, stack, allow)
                entries |= more
                says |= told
            found = _found(entries, says | said_in_folder(path))
        except DeepTrackerError:
            raise
        except Exception as error:
            raise SnapshotError(f"{path} cannot be read: {_reason(path, error)}") from error
        if not found.layers:
            raise SnapshotError(
                f"{path} must hold weights of two dimensions or more, as model.state_dict() has them. It has none."
            )
        yield found


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tensor in a file. Those with the same `memory` are one; None where that is not known."""

    shape: tuple[int, ...]
    is_floating: bool
    is_double: bool
    memory: int | None
    tensor: Callable[[], torch.Tensor]

    @property
    def is_weight(self) -> bool:
        """May it be one, if its name says so?"""
        return len(self.shape) > 1 and 0 not in self.shape and self.is_floating


_Contents = tuple[dict[str, _Entry], Mapping[str, Any]]


def _of_safetensors(path: str, stack: ExitStack, allow: Sequence[str]) -> _Contents:
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise DeepTrackerError(
            "reading .safetensors needs safetensors, which is missing. pip install 'deeptracker[torch]'"
        ) from error
    file = stack.enter_context(safe_open(path, framework="pt"))
    entries = {}
    for key in file.offset_keys():
        part = file.get_slice(key)
        kind = part.get_dtype()
        floating = kind.startswith(("F", "BF"))
        tensor = _later(file.get_tensor, key)
        entries[key] = _Entry(tuple(part.get_shape()), floating, kind == "F64", None, tensor)
    said = (name for name in (*SAID_BY, EPOCH) if name in entries and not entries[name].shape)
    says = {name: entries[name].tensor() for name in said}
    return entries, says | (file.metadata() or {})


def _of_torch(path: str, stack: ExitStack, allow: Sequence[str]) -> _Contents:
    allowed: list[Any] = [named_class(name) for name in allow]
    with torch.serialization.safe_globals(allowed) if allowed else nullcontext(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what torch says, only errors matter here
        content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    if not isinstance(content, Mapping):
        return {}, {}
    for place in (content, *(content.get(name) for name in _STATE_DICTS)):
        entries = _strided(place) if isinstance(place, Mapping) else {}
        if any(entry.is_weight for entry in entries.values()):
            return entries, content
    return {}, content


FORMATS: dict[str, Callable[[str, ExitStack, Sequence[str]], _Contents]] = {
    ".safetensors": _of_safetensors,
    ".pt": _of_torch,
    ".pth": _of_torch,
    ".ckpt": _of_torch,
    ".bin": _of_torch,
}
"""How files are read, by how their names end."""


def _strided(state: Mapping[Any, Any]) -> dict[str, _Entry]:
    """The plain tensors among the entries of a state dict."""
    found = {}
    for key, value in state.items():
        plain = isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_quantized
        if plain and isinstance(key, str):
            double = value.dtype == torch.float64
            tensor = _later(lambda value: value, value)
            found[key] = _Entry(tuple(value.shape), value.is_floating_point(), double, value.data_ptr(), tensor)
    return found


def _later(get: Callable[[Any], torch.Tensor], what: Any) -> Callable[[], torch.Tensor]:
    return lambda: get(what)


def _found(entries: Mapping[str, _Entry], says: Mapping[str, Any]) -> WeightsFile:
    layers: dict[str, Layer] = {}
    tensors: dict[str, Callable[[], torch.Tensor]] = {}
    doubles: set[str] = set()
    first: dict[object, str] = {}
    for key, name in _layer_names(entries).items():
        entry = entries[key]
        known = first.setdefault(key if entry.memory is None else (entry.memory, entry.shape), name)
        if known != name:
            layers[known] = _layer(known, entry.shape, tuple(dict.fromkeys((*layers[known].places, name))))
        elif name in layers:
            raise SnapshotError(f"the names in a file of weights must differ. Two of them stand for {name!r}.")
        else:
            layers[name], tensors[name] = _layer(name, entry.shape, (name,)), entry.tensor
            doubles |= {name} if entry.is_double else set()
    state = {name: entries[key].tensor for key, name in _bare([k for k in entries if _is_state(k, entries[k])]).items()}
    said = _iterations(says, SAID_BY)
    return WeightsFile(layers, frozenset(doubles), said, _iterations(says, (EPOCH,)).get(EPOCH), tensors, state)


def _is_state(key: str, entry: _Entry) -> bool:
    """Is it part of the model, not a number that says when it was saved?"""
    return bool(entry.shape) or key not in (*SAID_BY, EPOCH)


def _layer_names(entries: Mapping[str, _Entry]) -> dict[str, str]:
    """What the layers are called, by the names of those entries that are weights, in the order of layers."""
    bare = _bare([key for key, entry in entries.items() if entry.shape])
    of_path: dict[str, list[str]] = {}
    for name in bare.values():
        path, _, parameter = name.rpartition(".")
        of_path.setdefault(path, []).append(parameter)
    found = {}
    for key in _numbers_as_numbers([key for key in bare if entries[key].is_weight]):
        path, _, parameter = bare[key].rpartition(".")
        if is_weight(parameter, path) and not is_scale(parameter, of_path[path]):
            found[key] = layer_name(path, parameter)
    return found


def _layer(name: str, shape: tuple[int, ...], places: tuple[str, ...]) -> Layer:
    return Layer(name, _KINDS.get(len(shape), "other"), shape, shape[0], math.prod(shape[1:]), 0, places)


def _bare(keys: Sequence[str]) -> dict[str, str]:
    """Names without what wrappers have put into them, by the names in the file.

    >>> _bare(["module.conv.weight", "module.block._orig_mod.fc.weight"])
    {'module.conv.weight': 'conv.weight', 'module.block._orig_mod.fc.weight': 'block.fc.weight'}
    """
    prefix = ""
    while wrapper := next((one for one in _WRAPPERS if keys and all(key.startswith(prefix + one) for key in keys)), ""):
        prefix += wrapper
    return {key: ".".join(part for part in key[len(prefix) :].split(".") if part != "_orig_mod") for key in keys}


def _numbers_as_numbers(names: Sequence[str]) -> list[str]:
    """The same order, unless it is the alphabet's.

    >>> _numbers_as_numbers(["blocks.10", "blocks.2", "head"]), _numbers_as_numbers(["b", "a.10", "a.2"])
    (['blocks.2', 'blocks.10', 'head'], ['b', 'a.10', 'a.2'])
    """
    if list(names) != sorted(names):
        return list(names)
    return sorted(names, key=lambda name: [int(x) if i % 2 else x for i, x in enumerate(re.split("([0-9]+)", name))])


def _iterations(says: Mapping[str, Any], names: Sequence[str]) -> dict[str, int]:
    """Those of the entries of these names that are whole numbers."""
    found = {}
    for name in names:
        value = says.get(name)
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, str) and re.fullmatch("-?[0-9]+", value):
            value = float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and float(value).is_integer():
            found[name] = int(value)
    return found


def _reason(path: str, error: Exception) -> str:
    """Why a file cannot be read, and what to do about it."""
    if isinstance(error, FileNotFoundError):
        return "it is not there any more."
    if isinstance(error, UnpicklingError):
        return f"it holds Python objects besides weights and plain values{_asked_for(str(error))}."
    if isinstance(error, RuntimeError) and "TorchScript" in str(error):
        return "it is a TorchScript archive. Save model.state_dict() instead."
    if isinstance(error, RuntimeError) and "mmap can only be used" in str(error) and os.path.getsize(path):
        return "it is in the format that torch had before 1.6, or not of torch at all. Load it, and save it again."
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"it is empty, cut short or damaged ({lines[0][:160].rstrip('.')})."


def _asked_for(text: str) -> str:
    """The class that torch refuses to make, and what to do, from what torch says.

    >>> _asked_for("Unsupported global: GLOBAL argparse.Namespace was not an allowed global by default.")
    ': argparse.Namespace. Save model.state_dict() instead, or, if you trust the file, --allow argparse.Namespace'
    """
    found = re.search(r"GLOBAL ([\w.]+)", text)
    if found is None:
        return ". Save model.state_dict() instead"
    return f": {found[1]}. Save model.state_dict() instead, or, if you trust the file, --allow {found[1]}"
