"""How does Hugging Face's Trainer lay out a checkpoint, and which files of a folder are the weights?

1. `checkpoint-500/` holds `model.safetensors`, or, where the model is large, several files and an index that names
   them; older ones `pytorch_model.bin`. Optimizer, scheduler and random states lie beside it and are left alone.
2. `trainer_state.json` says the iteration as `global_step`.
3. Such a folder is one snapshot. What lies loose beside it, as the Trainer saves the last model, is none of the series.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
STATE = "trainer_state.json"


def is_weight_folder(path: Path) -> bool:
    """Does a folder hold one model's weights as Hugging Face saves them, and say that it is a checkpoint?"""
    return (path / STATE).is_file() and any((path / name).is_file() for name in (*WHOLE, *INDEXES))


def files_of(path: str) -> list[str]:
    """The files of weights that make up a snapshot: itself, or those in its folder; ValueError for a wrong index."""
    place = Path(path)
    if not place.is_dir():
        return [path]
    for name in WHOLE:
        if (place / name).is_file():
            return [str(place / name)]
    index = next(place / name for name in INDEXES if (place / name).is_file())
    try:
        names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{index.name} is no index of weights") from error
    if not names or any(Path(name).name != name for name in names):
        raise ValueError(f"{index.name} names files outside of its folder, or none")
    return [str(place / name) for name in names]


def said_in_folder(path: str) -> dict[str, Any]:
    """What the Trainer's state says of when it was saved; nothing for a file."""
    state = Path(path) / STATE
    if not state.is_file():
        return {}
    said = json.loads(state.read_bytes())
    return {"global_step": said["global_step"]} if isinstance(said, dict) and "global_step" in said else {}
