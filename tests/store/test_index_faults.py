"""Whatever becomes of the files of an index: answers are those of the log, and building mends it, byte for byte.

1. Faults are drawn from a seed: one byte or a few anywhere in any file, files cut, emptied, longer, full of something
   else, gone, or folders. Many at once, as each must be found out by itself; and one alone, as others could hide it.
2. Each time everything is asked, by a `Run` of its own, and compared with what the log alone says.
3. Then the index is built again, and must have the bytes that it had.
"""

import hashlib
import json
import os
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.indexing import build_index
from deeptracker.run import Run
from deeptracker.schema import MEASURES, NODE_MEASURES
from deeptracker.store import index_layout
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_layout import ROOT, Published
from deeptracker.store.log import LogReader, LogWriter

SCALE = Scale(140, classes=4, samples_per_class=70, iterations_per_dump=10, resnet50=False, pictures=False)
"""Three blocks, the last one short; two inner chunks of filters and of samples."""

SEEDS = 24

LONG = Scale(1100, classes=2, samples_per_class=4, iterations_per_dump=10, resnet50=False, pictures=False)
"""A wide block, of which the index has levels of detail, and some more dumps."""


def each_sample(run: Run) -> list[Any]:
    """One sample of each inner chunk, and the last."""
    return [run.sample_history(sample) for sample in (0, 256, 279)]


EVERYTHING: dict[str, Callable[[Run], Any]] = {
    "iterations": lambda run: run.iterations,
    "errors": lambda run: (run.validation_error(), run.error_rates(), run.settled),
    "classes": lambda run: [astuple(run.class_samples(cls)) for cls in range(SCALE.classes)],
    "class statistics": lambda run: [astuple(run.class_stats(cls)) for cls in range(SCALE.classes)],
    "probabilities": lambda run: [run.probabilities(cls) for cls in range(SCALE.classes)],
    "samples": each_sample,
    "anomalies": lambda run: astuple(run.anomalies(5, 0.2)),
    "nodes": lambda run: [run.node_stats(measure) for measure in NODE_MEASURES],
    "layers": lambda run: [run.filter_stats(layer, name) for name in MEASURES for layer in (0, 8)],
    "one filter": lambda run: run.filter_history(2, 5),
    "top filters": lambda run: (run.top_counts(9), astuple(run.top_filters(int(run.iterations[-1]), 9))),
}
"""Calls that read every inner chunk of every array that `Run` reads; those that keep the least come first."""

COLUMNS: dict[str, Callable[[Run], Any]] = {
    f"{what} {width}": partial(question, width=width)
    for width in (70, 20)
    for what, question in {
        "layers": lambda run, width: [
            astuple(run.filter_levels(layer, name, width)) for name in MEASURES for layer in (0, 8)
        ],
        "nodes": lambda run, width: [astuple(run.node_levels(measure, width)) for measure in NODE_MEASURES],
        "a part": lambda run, width: astuple(
            run.filter_levels(0, "cosine_distance", 9, "filter", 100, 100 + 9 * width)
        ),
        "errors": lambda run, width: astuple(run.error_levels(width)),
        "classes": lambda run, width: [astuple(run.class_levels(cls, width, 3)) for cls in range(2)],
        "taken for": lambda run, width: [astuple(run.taken_for(cls, width)) for cls in range(2)],
        "never": lambda run, width: [run.never_changing(layer) for layer in (0, 8)],
    }.items()
}
"""Calls that read every inner chunk of the levels of detail of a long run, 16 and 64 dumps a column."""


def digests(run: Run, questions: dict[str, Callable[[Run], Any]] = EVERYTHING) -> dict[str, str]:
    """A hash of every byte of each answer."""
    found = {}
    for name, question in questions.items():
        digest = hashlib.blake2b()
        _add(digest, question(run))
        found[name] = digest.hexdigest()
    return found


def _add(digest: Any, answer: Any) -> None:
    if isinstance(answer, np.ndarray):
        digest.update(f"{answer.dtype} {answer.shape}".encode() + answer.tobytes())
    elif isinstance(answer, dict | list | tuple):
        digest.update(f"{type(answer).__name__} {len(answer)}".encode())
        for one in answer.items() if isinstance(answer, dict) else answer:
            _add(digest, one)
    else:
        digest.update(repr(answer).encode())


def files(place: Path) -> dict[str, bytes]:
    """All files of an index, but what killed builders left."""
    found = (path for path in (place / "index").rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run without an index; not to be changed."""
    place = tmp_path_factory.mktemp("alone") / "run"
    write_run(place, SCALE)
    return place


@pytest.fixture(scope="module")
def expected(alone: Path) -> dict[str, str]:
    """What the log alone says."""
    return digests(open_run(alone))


@pytest.fixture(scope="module")
def whole(alone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run with an index built in one go; not to be changed."""
    place = shutil.copytree(alone, tmp_path_factory.mktemp("whole") / "run")
    assert build_index(place).blocks_written == 3
    return place


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long run with an index; not to be changed."""
    place = tmp_path_factory.mktemp("long") / "run"
    write_run(place, LONG)
    assert build_index(place).wide_written == 1
    return place


def copied(whole: Path, place: Path) -> Path:
    """The same run with an index that may be changed; the log is linked."""
    shutil.copytree(whole, place, copy_function=os.link, ignore=shutil.ignore_patterns("index"))
    shutil.copytree(whole / "index", place / "index")
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    return copied(whole, tmp_path / "run")


def one_byte(chance: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    path.write_bytes(data)


def some_bytes(chance: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    start = chance.randrange(len(data))
    data[start : start + 40] = chance.randbytes(len(data[start : start + 40]))
    path.write_bytes(data)


def cut(chance: random.Random, path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data))])


def longer(chance: random.Random, path: Path) -> None:
    path.write_bytes(path.read_bytes() + chance.randbytes(chance.randrange(1, 99)))


def something_else(chance: random.Random, path: Path) -> None:
    path.write_bytes(chance.randbytes(path.stat().st_size))


def zeros(chance: random.Random, path: Path) -> None:
    """As a file system leaves what was not yet on the disk when the power went."""
    path.write_bytes(bytes(path.stat().st_size))


def gone(chance: random.Random, path: Path) -> None:
    path.unlink()


FAULTS = [one_byte, one_byte, one_byte, one_byte, some_bytes, cut, longer, something_else, zeros, gone]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_becomes_of_its_files_answers_stay_right_and_building_mends_it(
    place: Path, whole: Path, expected: dict[str, str], seed: int
) -> None:
    chance = random.Random(seed)
    before = files(whole)
    many = chance.sample(sorted(before), chance.choice([1, 1, 2, 10, len(before) // 2]))
    for path in many:
        chance.choice(FAULTS)(chance, place / path)
    assert digests(open_run(place)) == expected
    build_index(place)
    assert files(place) == before
    run = open_run(place)
    assert digests(run) == expected
    assert run.warnings == []


@pytest.mark.slow
def test_levels_of_detail_stay_right_too_and_are_mended(long: Path, tmp_path: Path) -> None:
    before, chance = files(long), random.Random(0)
    of_levels = [path for path in before if re.search(r"/\w+_(16|64)/", path)]
    assert len(of_levels) > 2 * len(MEASURES)
    alone = Path(
        shutil.copytree(long, tmp_path / "alone", ignore=shutil.ignore_patterns("index"), copy_function=os.link)
    )
    expected = digests(open_run(alone), COLUMNS)
    assert digests(open_run(long), COLUMNS) == expected
    for number, count in enumerate([1, 1, 1, 20, len(of_levels) // 2]):
        place = copied(long, tmp_path / f"run{number}")
        for path in [*chance.sample(of_levels, count), *chance.sample(sorted(set(before) - set(of_levels)), count)]:
            chance.choice(FAULTS)(chance, place / path)
        assert digests(open_run(place), COLUMNS) == expected
        build_index(place)
        assert files(place) == before
        assert digests(open_run(place), COLUMNS) == expected


def test_a_folder_in_place_of_a_file_is_as_good_as_none(place: Path, whole: Path, expected: dict[str, str]) -> None:
    chance = random.Random(0)
    for path in [*chance.sample(sorted(set(files(whole)) - {ROOT}), 12), ROOT]:
        (place / path).unlink(missing_ok=True)
        (place / path).mkdir(exist_ok=True)
        assert digests(open_run(place)) == expected


def test_every_byte_of_the_document_that_publishes_is_guarded(whole: Path) -> None:
    """Of those that are read: consolidated metadata are for others."""
    data = bytearray((whole / ROOT).read_bytes())
    published = Published.from_json(bytes(data))
    assert published is not None
    end = data.index(b"consolidated_metadata")
    chance = random.Random(0)
    for at in [*range(end), *chance.sample(range(end, len(data)), 300)]:
        before = data[at]
        data[at] ^= chance.randrange(1, 256)
        assert Published.from_json(bytes(data)) in (None, published), at
        data[at] = before


OTHER_DOCUMENTS = [
    *("", "null", "[]", "[" * 100_000, '"x"', "1e999", '{"attributes": null}', '{"attributes": {"deeptracker": [1]}}'),
    json.dumps({"attributes": {"deeptracker": {"index_version": index_layout.INDEX_VERSION, "crc32": 1}}}),
]


@pytest.mark.parametrize("text", OTHER_DOCUMENTS, ids=range(len(OTHER_DOCUMENTS)))
def test_a_document_of_another_kind_is_no_index(place: Path, whole: Path, expected: dict[str, str], text: str) -> None:
    (place / ROOT).write_text(text)
    assert digests(open_run(place)) == expected
    build_index(place)
    assert files(place) == files(whole)


def test_what_else_lies_in_the_folder_is_left_alone(place: Path, expected: dict[str, str]) -> None:
    group = next(path for path in (place / "index").iterdir() if path.is_dir())
    others = [place / "index/c/0", group / "c/0/0", group / "zzz/zarr.json", group / "change/c/9/0", group / ".x.tmp"]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"something else")
    run = open_run(place)
    assert digests(run) == expected
    assert run.warnings == []
    assert build_index(place).blocks_written == 0
    assert {path.read_bytes() for path in others} == {b"something else"}


@pytest.mark.parametrize("version", [0, index_layout.INDEX_VERSION + 1])
def test_an_index_of_another_version_is_passed_over_and_built_anew(
    alone: Path, whole: Path, tmp_path: Path, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    place = shutil.copytree(alone, tmp_path / "run")
    with monkeypatch.context() as other:
        other.setattr(index_layout, "INDEX_VERSION", version)
        build_index(place)
    for path in files(place):
        if path != ROOT:  # numbers that would be seen, were any of them read
            (place / path).write_bytes(bytes((place / path).stat().st_size))
    run = open_run(place)
    assert digests(run) == expected
    assert run.warnings == []
    assert build_index(place).blocks_written == 3
    assert files(place).items() >= files(whole).items()
    assert digests(open_run(place)) == expected


def test_an_index_that_another_run_left_in_the_same_place_is_none(whole: Path, tmp_path: Path) -> None:
    """The same experiment, recorded anew where somebody had removed all but the index."""
    place = tmp_path / "run"
    write_run(place, SCALE, seed=1)
    info = LogReader(Blobs(place)).info
    LogWriter(Blobs(place)).write_info(replace(info, created="2031-01-01T00:00:00+00:00"))
    own = digests(open_run(place))
    shutil.copytree(whole / "index", place / "index")
    assert digests(open_run(place)) == own
    assert build_index(place).blocks_written == 3
    assert digests(open_run(place)) == own


@pytest.mark.parametrize("moment", range(len(EVERYTHING)))
def test_the_index_may_be_removed_or_spoiled_under_a_reader(place: Path, expected: dict[str, str], moment: int) -> None:
    """What has been asked until then is kept or read again; the rest comes from the log."""
    run = open_run(place)
    for name in list(EVERYTHING)[:moment]:
        EVERYTHING[name](run)
    if moment % 2:
        shutil.rmtree(place / "index")
    else:
        for path in files(place):
            os.truncate(place / path, 40)
    assert digests(run) == expected
    run.refresh()
    assert digests(run) == expected


def test_building_removes_what_a_killed_builder_left_an_hour_ago(whole: Path, tmp_path: Path) -> None:
    place = shutil.copytree(whole, tmp_path / "run")
    left, writing, other = (
        place / name for name in ("index/.0.0123abcd.tmp", "index/.1.0123abcd.tmp", "log/.2.0123abcd.tmp")
    )
    for path in (left, writing, other):
        path.write_bytes(b"half a shard")
    for path in (left, other):
        os.utime(path, (0, 0))
    build_index(place)
    assert (left.exists(), writing.exists(), other.exists()) == (False, True, True)
