"""Which snapshots of weights do files and folders hold, and at which iterations were they saved?

1. Every file of weights that is named, or lies right in a folder, is opened, and so are checkpoints of Hugging Face's
   Trainer, which are folders (`weight_folders.py`). One that cannot be read is left out.
2. All others must be of one network: the same layers, by name and shape, in the same precision (float64 or not).
3. Iterations are those that the files say themselves, by an entry `iteration`, `global_step` or `step`, if all do. If
   none does, but all say an `epoch`, that counts. Else they come from the names: the number after "step" or
   "iteration", else the one after "epoch", else the only number in which names differ. Whichever it was is told; where
   it is not clear nothing is guessed.
4. No two may be of the same iteration.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deeptracker.record.weight_folders import INDEXES, WHOLE, is_weight_folder
from deeptracker.record.weights import SAID_BY, SnapshotError, open_weights
from deeptracker.schema import Layer

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt")
"""How names of files of weights end."""

RULES = ("contents", "names")
"""Where iterations may come from."""

LAST_ITERATION = 10**12 - 1

_BY_NAMES = "--iterations names takes the numbers in their names"

_LABELLED = {
    'the number after "step" or "iteration" in their names': r"(?:iterations?|iter|it|(?:global[ _-]?)?steps?)",
    "the epoch in their names": r"(?:epochs?|ep)",
}
"""What stands before a number, by what the number is then."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file of weights, or a folder of one model's, and the iteration at which it was saved."""

    iteration: int
    path: str


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Those of files and folders, by iteration.

    `layers` are those of the first, in the order of its file, offsets all 0. `source` says in words where iterations
    come from, `unreadable` which files were left out and why.
    """

    snapshots: tuple[Snapshot, ...]
    layers: tuple[Layer, ...]
    source: str
    unreadable: tuple[str, ...]


Places = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def find_snapshots(places: Places, *, rule: str | None = None, allow: Sequence[str] = ()) -> Snapshots:
    """Look at all snapshots of some files and folders; `rule`, one of RULES, says where iterations must come from.

    `allow` is that of `open_weights`. SnapshotError where there is no snapshot that can be read, where they are of
    different networks, or their iterations are not clear; ValueError for another rule.
    """
    if rule is not None and rule not in RULES:
        raise ValueError(f"iterations must come from {' or '.join(RULES)}. Got {rule!r}.")
    said: dict[str, dict[str, int]] = {}
    epochs: dict[str, int | None] = {}
    unreadable: list[str] = []
    first: tuple[str, tuple[Layer, ...], frozenset[str]] | None = None
    for path in _paths(places):
        try:
            with open_weights(path, allow=allow) as file:
                layers, doubles = tuple(file.layers.values()), file.doubles
                said[path], epochs[path] = file.said, file.epoch
        except SnapshotError as error:
            unreadable.append(str(error))
            continue
        first = first or (path, layers, doubles)
        wrong = difference(layers, first[1]) or _other_precision(doubles, first[2])
        if wrong:
            raise SnapshotError(
                f"all snapshots in a folder must be of one network. In {path} {wrong} in {first[0]}. "
                "Move it to another folder."
            )
    if first is None:
        raise SnapshotError(f"{_told(places)} must hold a snapshot that can be read. None can: {unreadable[0]}")
    if rule != "names" and not any(said.values()) and None not in epochs.values():
        said = {path: {"epoch": epoch} for path, epoch in epochs.items() if epoch is not None}
    iterations, source = _iterations(said, rule)
    snapshots = tuple(sorted((Snapshot(iteration, path) for path, iteration in iterations.items()), key=_by_iteration))
    with open_weights(snapshots[0].path, allow=allow) as file:
        return Snapshots(snapshots, tuple(file.layers.values()), source, tuple(unreadable))


def difference(layers: Sequence[Layer], others: Sequence[Layer]) -> str | None:
    """What tells these layers from others, as the beginning of a sentence that names the others; None if nothing."""
    ours, theirs = ({layer.name: layer for layer in some} for some in (layers, others))
    for name in ours | theirs:
        if name not in ours:
            return f"there is no layer {name!r}, as there is"
        if name not in theirs:
            return f"there is a layer {name!r}, and none"
        if ours[name].shape != theirs[name].shape:
            return f"layer {name!r} is {_times(ours[name].shape)}, and {_times(theirs[name].shape)}"
    return None


def _other_precision(doubles: frozenset[str], others: frozenset[str]) -> str | None:
    for name in sorted(doubles ^ others):
        ours, theirs = ("float64", "less") if name in doubles else ("less than float64", "float64")
        return f"layer {name!r} is {ours}, and {theirs}"
    return None


def places_of(places: Places) -> list[str]:
    """One place or several, as a list."""
    return [os.fspath(places)] if isinstance(places, str | os.PathLike) else [os.fspath(place) for place in places]


def _paths(places: Places) -> list[str]:
    """All snapshots, each once, sorted by name."""
    found = {path for place in places_of(places) for path in _paths_at(place)}
    if not found:
        raise SnapshotError(
            f"{_told(places)} must hold snapshots ({', '.join(SUFFIXES)}), not in folders below it, or folders that "
            "Hugging Face's Trainer saved. There is none."
        )
    return sorted(found)


def _paths_at(given: str) -> list[str]:
    if "://" in given:
        raise SnapshotError(f"snapshots must lie in a local folder, to be mapped into memory. Got {given}. Copy them.")
    place = Path(given).absolute()
    if place.is_file():
        if place.suffix.lower() not in SUFFIXES:
            raise SnapshotError(f"a snapshot must end with one of {', '.join(SUFFIXES)}. Got {given}.")
        return [str(place)]
    if not place.is_dir():
        raise SnapshotError(f"{given} must be a folder of snapshots, or one of them. There is none.")
    seen = [path for path in place.iterdir() if not path.name.startswith(".")]
    folders = [path for path in seen if path.is_dir() and is_weight_folder(path)]
    if not folders and is_weight_folder(place):
        return [str(place)]
    files = [path for path in seen if path.suffix.lower() in SUFFIXES and path.is_file()]
    return [str(path) for path in (*folders, *files) if not folders or not _is_last_model(path)]


def _is_last_model(path: Path) -> bool:
    """Does the name say that the Trainer saved it last, beside its checkpoints?"""
    shards = re.fullmatch(r"(?:model|pytorch_model)-\d+-of-\d+\.(?:safetensors|bin)", path.name)
    return path.name in (*WHOLE, *INDEXES) or shards is not None


def _told(places: Places) -> str:
    first, *others = places_of(places)
    return f"{first} and {len(others)} more" if others else first


def _iterations(said: Mapping[str, Mapping[str, int]], rule: str | None) -> tuple[dict[str, int], str]:
    """The iteration of each file, and where it comes from."""
    silent = [path for path, names in said.items() if not names]
    if rule == "names" or (rule is None and len(silent) == len(said)):
        found, source = _from_names(list(said))
    elif silent:
        others = f" {next(path for path in said if path not in silent)} does." if len(silent) < len(said) else ""
        raise SnapshotError(
            f"all snapshots must say at which iteration they were saved ({', '.join(SAID_BY)}), or none. "
            f"{silent[0]} does not.{others} {_BY_NAMES}."
        )
    else:
        found, source = _from_contents(said)
    of: dict[int, str] = {}
    for path, iteration in found.items():
        if not 0 <= iteration <= LAST_ITERATION:
            raise SnapshotError(
                f"an iteration must be in 0..{LAST_ITERATION}. That of {path} is {iteration}, by {source}."
            )
        if of.setdefault(iteration, path) != path:
            raise SnapshotError(
                f"snapshots must be of different iterations. {of[iteration]} and {path} are both of {iteration}, by "
                f"{source}. Move one of them to another folder{'.' if rule == 'names' else f', or: {_BY_NAMES}.'}"
            )
    return found, source


def _from_contents(said: Mapping[str, Mapping[str, int]]) -> tuple[dict[str, int], str]:
    for path, names in said.items():
        if len(set(names.values())) > 1:
            text = " and ".join(f"{iteration} ({name})" for name, iteration in names.items())
            raise SnapshotError(f"a snapshot must say one iteration. {path} says {text}. {_BY_NAMES}.")
    used = [name for name in SAID_BY if any(next(iter(names)) == name for names in said.values())]
    return {
        path: next(iter(names.values())) for path, names in said.items()
    }, f"{' or '.join(map(repr, used))} in the files"


def _from_names(paths: Sequence[str]) -> tuple[dict[str, int], str]:
    stems = [Path(path).stem for path in paths]
    for source, label in _LABELLED.items():
        pattern = re.compile(rf"(?<![a-z]){label}[ =_-]*([0-9]+)", re.IGNORECASE)
        labelled = [pattern.findall(stem) for stem in stems]
        if all(len(numbers) == 1 for numbers in labelled):
            return {path: int(numbers[0]) for path, numbers in zip(paths, labelled, strict=True)}, source
    for path, stem in zip(paths, stems, strict=True):
        if not re.search("[0-9]", stem):
            raise SnapshotError(
                f"names of snapshots must tell their iterations, as files do not. {path} has no number. "
                "Rename it (step=1600.pt), or move it to another folder."
            )
        if re.sub("[0-9]+", "#", stem) != re.sub("[0-9]+", "#", stems[0]):
            raise SnapshotError(
                f"names of snapshots must differ in a number only. {path} and {paths[0]} differ in more. "
                "Rename them (step=1600.pt), or move what is none of the series to another folder."
            )
    columns = list(zip(*([int(number) for number in re.findall("[0-9]+", stem)] for stem in stems), strict=True))
    differing = [column for column in columns if len(set(column)) > 1] or columns
    if len(differing) > 1:
        raise SnapshotError(
            f"it must be clear which number in the name of a snapshot is its iteration. {paths[0]} has "
            f"{len(differing)} that could be. Rename the files: step=1600.pt"
        )
    return dict(zip(paths, differing[0], strict=True)), "the number in their names"


def _by_iteration(snapshot: Snapshot) -> int:
    return snapshot.iteration


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
