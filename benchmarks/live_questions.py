"""What do readers of a live run ask over HTTP, and when is an answer right? For benchmarks/live.py.

1. A question is a route with parameters drawn at random. Of an answer its arrays are kept as checksums, and the dumps
   that it is about (`first` to `dumps`).
2. After the run, what ought to have been answered is taken from its log alone, without an index and without the
   server: of most routes the answer at n dumps is the beginning of the answer at the end. Those of which it is not
   (anomalies, clusters) are asked of a copy of the log that ends after n dumps; of these a few answers are checked.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deeptracker.run import Run
from deeptracker.server.frame import span_of, to_bytes

Arrays = Mapping[str, npt.NDArray[Any]]
Parameters = dict[str, Any]
Draw = Callable[[random.Random, "Known"], Parameters]
Expect = Callable[[Run, Parameters, slice], Arrays]

SOME_MEASURES = ("change", "sd", "mean", "grad_l2", "update_ratio")
NODE_MEASURES = (*SOME_MEASURES, "weight_median", "grad_q3")
CHECKED_COPIES = 8


@dataclass(frozen=True, slots=True)
class Known:
    """What a reader knows of the run: its sizes, and the newest iteration that it has heard of."""

    classes: int
    samples: int
    filters: tuple[int, ...]
    nodes: int
    iteration: int


@dataclass(frozen=True, slots=True)
class Question:
    """A route, how its parameters are drawn, and what its arrays must be of which dumps.

    `weight`: how often it is asked, beside others. `is_steady`: later dumps never change what was said of earlier ones.
    `follows`: it takes `since`.
    """

    route: str
    draw: Draw
    expect: Expect
    weight: float = 1.0
    is_steady: bool = True
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: of which question, of which dumps, and the checksums of its arrays."""

    route: str
    parameters: Parameters
    first: int
    dumps: int
    sums: dict[str, tuple[str, tuple[int, ...], int]]


def summed(arrays: Arrays) -> dict[str, tuple[str, tuple[int, ...], int]]:
    """dtype, shape and CRC32 of each array."""
    return {
        name: (one.dtype.name, one.shape, zlib.crc32(np.ascontiguousarray(one).tobytes()))
        for name, one in arrays.items()
    }


def decode(frame: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Header and arrays of a frame (docs/http-api.md); ValueError if it is none."""
    if frame[:4] != b"DTK1":
        raise ValueError(f"a frame must begin with DTK1. It begins with {frame[:4]!r}.")
    (length,) = struct.unpack("<I", frame[4:8])
    header = json.loads(frame[8 : 8 + length])
    start = -(-(8 + length) // 8) * 8
    arrays = {}
    for one in header["arrays"]:
        dtype = np.dtype(one["dtype"]).newbyteorder("<")
        values = np.frombuffer(frame, dtype, int(np.prod(one["shape"])), start + one["offset"])
        arrays[one["name"]] = values.reshape(one["shape"])
    return header, arrays


def _nothing(rng: random.Random, known: Known) -> Parameters:
    return {}


def _any_node_measure(rng: random.Random, known: Known) -> Parameters:
    return {"measure": rng.choice(NODE_MEASURES)}


def _any_class(rng: random.Random, known: Known) -> Parameters:
    return {"cls": rng.randrange(known.classes)}


def _any_sample(rng: random.Random, known: Known) -> Parameters:
    return {"sample": rng.randrange(known.samples)}


def _any_node(rng: random.Random, known: Known) -> Parameters:
    return {"node": rng.randrange(known.nodes), "measure": rng.choice(SOME_MEASURES)}


def _any_layer(rng: random.Random, known: Known) -> Parameters:
    return {"layer": rng.randrange(len(known.filters)), "measure": rng.choice(SOME_MEASURES)}


def _any_filter(rng: random.Random, known: Known) -> Parameters:
    layer = rng.randrange(len(known.filters))
    return {"layer": layer, "filter": rng.randrange(known.filters[layer])}


def _newest_dump(rng: random.Random, known: Known) -> Parameters:
    return {"iteration": known.iteration, "k": 100, "measure": "change"}


def _top_100(rng: random.Random, known: Known) -> Parameters:
    return {"k": 100, "measure": "change"}


def _any_window(rng: random.Random, known: Known) -> Parameters:
    return {"window": rng.randrange(2, 20), "threshold": 0.35}


def _four(rng: random.Random, known: Known) -> Parameters:
    return {"k": 4}


def _classes(run: Run, asked: Parameters, new: slice) -> Arrays:
    error = to_bytes(run.error_rates()[:, new], 0, 1)
    return {"error": error, "iterations": run.iterations[new].astype(np.float64)}


def _overall(run: Run, asked: Parameters, new: slice) -> Arrays:
    return {"validation_error": run.validation_error()[new]}


def _node_stats(run: Run, asked: Parameters, new: slice) -> Arrays:
    return {"values": run.node_stats(asked["measure"])[:, new]}


def _class(run: Run, asked: Parameters, new: slice) -> Arrays:
    return {"labels": run.class_samples(asked["cls"]).predicted[:, new]}


def _sample(run: Run, asked: Parameters, new: slice) -> Arrays:
    found = run.sample_history(asked["sample"])
    details = {name: found[name][new].astype(np.float32) for name in ("probability", "loss")}
    return {"labels": found["predicted"][new].astype(np.int32), **details}


def _box(run: Run, asked: Parameters, new: slice) -> Arrays:
    return {"values": run.box(asked["node"], asked["measure"]).values[:, new]}


def _filters(run: Run, asked: Parameters, new: slice) -> Arrays:
    values = run.filter_stats(asked["layer"], asked["measure"])[:, new]
    return {"cells": to_bytes(values, *span_of(values))}


def _filter(run: Run, asked: Parameters, new: slice) -> Arrays:
    return {"values": run.filter_history(asked["layer"], asked["filter"])[:, new]}


def _top_filters(run: Run, asked: Parameters, new: slice) -> Arrays:
    found = run.top_filters(asked["iteration"], asked["k"], asked["measure"])
    return {"layer": found.layer, "filter": found.filter, "value": found.value}


def _top_counts(run: Run, asked: Parameters, new: slice) -> Arrays:
    return {"counts": run.top_counts(asked["k"], asked["measure"])[:, new]}


def _anomalies(run: Run, asked: Parameters, new: slice) -> Arrays:
    found = run.anomalies(asked["window"], asked["threshold"])
    return {"class": found.cls, "dump": found.dump, "left": found.left, "right": found.right, "pending": found.pending}


def _clusters(run: Run, asked: Parameters, new: slice) -> Arrays:
    found = run.clusters(asked["k"])
    return {"assignment": found.assignment, "curves": found.curves}


QUESTIONS = (
    Question("classes", _nothing, _classes, weight=3, follows=True),
    Question("overall", _nothing, _overall, weight=2, follows=True),
    Question("node-stats", _any_node_measure, _node_stats, weight=3, follows=True),
    Question("class", _any_class, _class, weight=3, follows=True),
    Question("sample", _any_sample, _sample, weight=2),
    Question("box", _any_node, _box),
    Question("filters", _any_layer, _filters, weight=3),
    Question("filter", _any_filter, _filter),
    Question("top-filters", _newest_dump, _top_filters, weight=2),
    Question("top-counts", _top_100, _top_counts, weight=0.3),
    Question("anomalies", _any_window, _anomalies, weight=2, is_steady=False),
    Question("clusters", _four, _clusters, is_steady=False),
)


def wrong_answers(place: Path, answers: list[Answer], folder: Path) -> list[str]:
    """Check answers about the run at a place against its log; one sentence for each that is wrong."""
    questions = {question.route: question for question in QUESTIONS}
    whole = Run(log_alone(place, folder / "log-alone"))
    steady = [answer for answer in answers if questions[answer.route].is_steady]
    found = [text for answer in steady for text in _differences(whole, questions[answer.route], answer)]
    others = [answer for answer in answers if not questions[answer.route].is_steady]
    for answer in random.Random(0).sample(others, min(CHECKED_COPIES, len(others))):
        copy = log_alone(place, folder / "cut", dumps=answer.dumps)
        found += _differences(Run(copy), questions[answer.route], answer)
    return found


def log_alone(place: Path, target: Path, dumps: int | None = None) -> Path:
    """The run without its index, and with so many of its first dumps only, by hard links."""
    shutil.rmtree(target, ignore_errors=True)
    names = sorted(path.name for path in (place / "log" / "filters").glob("*.arrow"))
    kept = set(names[:dumps])

    def left_out(folder: str, found: list[str]) -> set[str]:
        if Path(folder).name in ("predictions", "layers", "kernels", "filters"):
            return set(found) - kept
        return {name for name in found if name == "index" or name.startswith(".")}

    shutil.copytree(place, target, ignore=left_out, copy_function=os.link)
    return target


def _differences(run: Run, question: Question, answer: Answer) -> list[str]:
    expected = summed(question.expect(run, answer.parameters, slice(answer.first, answer.dumps)))
    wrong = [name for name, sums in expected.items() if answer.sums.get(name) != sums]
    if not wrong:
        return []
    return [f"/api/{answer.route} {answer.parameters} at {answer.dumps} dumps: {', '.join(wrong)} differ from the log"]
