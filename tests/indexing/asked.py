"""What is asked of runs to see that their index says what their log does, and how such runs come to be."""

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generate import Scale
from deeptracker import open_run
from deeptracker.run import Run
from deeptracker.run.correlation import Movers
from deeptracker.schema import FILTER_MEASURES, NODE_MEASURES, Branch, Predictions
from deeptracker.store.blobs import Blobs
from deeptracker.store.index_layout import ROOT, Published
from deeptracker.store.log import LogReader, LogWriter
from deeptracker.store.samples import read_samples

DUMPS = 150
SCALE = Scale(DUMPS, classes=7, samples_per_class=90, iterations_per_dump=10, resnet50=False, pictures=False)

WIDTHS = (2000, 300, 80, 20, 3)
"""Columns asked for: of runs of some hundred dumps, and of a thousand, different levels."""

RANGES = ((0, None), (37, 111), (90, 90), (100, 1040), (1000, None))

FILTERS = ((3, "change", None), ("conv1", "cosine_distance", "filter"), (8, "l2", "iteration"))

QUESTIONS: dict[str, Callable[[Run], Any]] = {
    "iterations": lambda run: run.iterations,
    "state": lambda run: run.state,
    "settled": lambda run: run.settled,
    "first_new_dump": lambda run: run.first_new_dump(500, 0),
    "scalars": lambda run: run.scalars(),
    "learning_rate": lambda run: run.learning_rate(),
    "learning_rate_stages": lambda run: run.learning_rate_stages(),
    "training_error": lambda run: run.training_error(),
    "validation_error": lambda run: run.validation_error(),
    "error_rates": lambda run: run.error_rates(),
    "class_stats": lambda run: run.class_stats(3, window=4),
    "class_levels": lambda run: [run.class_levels(cls, 40, 3) for cls in range(0, len(run.class_names), 3)],
    "taken_for": lambda run: [run.taken_for(cls, 40) for cls in range(0, len(run.class_names), 3)],
    "class_samples": lambda run: [run.class_samples(cls) for cls in (0, 3, 6)],
    "probabilities": lambda run: run.probabilities(5),
    "sample_history": lambda run: [run.sample_history(sample) for sample in (0, 255, 256, 629)],
    "clusters": lambda run: run.clusters(3),
    "class_order": lambda run: run.class_order(),
    "anomaly_scores": lambda run: run.anomaly_scores(6),
    "anomalies": lambda run: run.anomalies(5, 0.2),
    "anomaly_counts": lambda run: run.anomaly_counts(),
    "nodes": lambda run: run.nodes(),
    "layer_stats": lambda run: [run.layer_stats(name, "sd") for name in ("", "layer1", "conv1")],
    **{f"node_stats {name}": lambda run, name=name: run.node_stats(name) for name in NODE_MEASURES},  # type: ignore[misc]
    "box": lambda run: [run.box(node, name) for node in (0, 1, 3) for name in ("change", "weight_q1", "grad_median")],
    "filter_stats": lambda run: [run.filter_stats(layer, "cosine_distance") for layer in (0, 3, 8)],
    **{f"filter_stats {name}": lambda run, name=name: run.filter_stats(2, name) for name in FILTER_MEASURES},  # type: ignore[misc]
    "normalised_filters": lambda run: run.normalised_filters(4, "l2", "filter"),
    "never_changing": lambda run: run.never_changing("conv1"),
    "filter_order": lambda run: [run.filter_order(1, "change", by) for by in ("similarity", "activity")],  # type: ignore[arg-type]
    "filter_history": lambda run: run.filter_history(2, 5),
    "filter_rank": lambda run: run.filter_rank(2, 5, "sd"),
    "top_filters": lambda run: [run.top_filters(int(run.iterations[at]), 9) for at in (0, -1)],
    "top_counts": lambda run: run.top_counts(9),
    "filter_levels": lambda run: [
        run.filter_levels(*asked, width, normalise, *dumps)  # type: ignore[arg-type]
        for *asked, normalise in FILTERS
        for width in WIDTHS
        for dumps in RANGES
    ],
    "filter_means": lambda run: [
        run.filter_means(layer, measure, width, *dumps)
        for layer, measure, _ in FILTERS
        for width in WIDTHS
        for dumps in RANGES
    ],
    "filter_span": lambda run: [run.filter_span(layer, measure) for layer, measure, _ in FILTERS],
    "node_levels": lambda run: [
        run.node_levels(measure, width, *dumps)
        for measure in ("sd", "cosine_distance", "weight_q3", "grad_median")
        for width in WIDTHS
        for dumps in RANGES
    ],
    "error_levels": lambda run: [run.error_levels(width, *dumps) for width in WIDTHS for dumps in RANGES],
    "correlation": lambda run: run.correlation(5, 0.2, movers=Movers(top=9)),
    "anomaly_rows": lambda run: run.anomaly_rows(run.correlation(5, 0.2, movers=Movers(top=9)), by="set", level=4),
    "confusion": lambda run: [run.confusion(int(run.iterations[at])) for at in (0, -1)],
    "confusion_change": lambda run: run.confusion_change(0, int(run.iterations[-1])),
    "confusion_flows": lambda run: [run.confusion_flows(0, int(run.iterations[-1]), cls) for cls in (None, 1)],
    "confusion_course": lambda run: [run.confusion_course(1, 2, width) for width in (None, *WIDTHS)],
    "confused_pairs": lambda run: [run.confused_pairs(int(run.iterations[-1]), 4, width) for width in (None, *WIDTHS)],
    "confusion_samples": lambda run: run.confusion_samples(int(run.iterations[-1]), 1, 1),
    "confusion_order": lambda run: run.confusion_order(),
    "findings": lambda run: run.findings(),
    "suggestions": lambda run: run.suggestions(),
    "suspects": lambda run: run.suspects(50),
    "kernels": lambda run: run.kernels(int(run.iterations[-1])),
    "kernel_layer": lambda run: run.kernel_layer(),
}
"""Everything that `Run` can be asked and that follows from its dumps."""

OF_SINGLE_DUMPS = {name for name in QUESTIONS if name.startswith("confus") and name != "confusion_course"}
OF_SINGLE_DUMPS |= {"findings"}  # how weights began
"""What is answered from the files of a few dumps in the log, with an index too (docs/decisions/0025)."""

NOT_ASKED = {
    "samples", "class_names", "refresh", "picture", "class_index", "info", "has_network", "network", "branch",
    "warnings", "updated", "size_bytes", "check", "node_index", "layer", "held_bytes", "hold_at_most", "branches",
    "is_abandoned", "flights", "flight_iterations", "flight_node_stats", "flight_stats", "flight_filters",
    "normalised_flight", "flight_filter", "flight_batch", "experiments",
}  # fmt: skip
"""What has nothing to do with the index, or changes with the clock."""


def bytes_of(answer: Any) -> Any:
    """Something that is equal only where every byte of an answer is."""
    if isinstance(answer, np.ndarray):
        return answer.dtype.str, answer.shape, answer.tobytes()
    if dataclasses.is_dataclass(answer):
        return [bytes_of(getattr(answer, field.name)) for field in dataclasses.fields(answer)]
    if isinstance(answer, dict):
        return {name: bytes_of(value) for name, value in answer.items()}
    return [bytes_of(one) for one in answer] if isinstance(answer, list | tuple) else answer


def answers(run: Run, names: Iterable[str] | None = None) -> dict[str, Any]:
    return {name: bytes_of(QUESTIONS[name](run)) for name in (names or QUESTIONS)}


def logs_answers(place: Path, tmp_path: Path) -> dict[str, Any]:
    """The answers of the same run without its index."""
    alone = tmp_path / "alone"
    shutil.rmtree(alone, ignore_errors=True)
    shutil.copytree(place, alone, ignore=shutil.ignore_patterns("index"))
    return answers(open_run(alone))


def assert_as_from_the_log(run: Run, expected: dict[str, Any]) -> None:
    found = answers(run)
    assert [name for name in QUESTIONS if found[name] != expected[name]] == []


def shards(place: Path) -> list[Path]:
    return sorted(path for path in (place / "index").rglob("*") if path.is_file() and path.name != "zarr.json")


def copy_dumps(source: Path, target: Path, dumps: range, *, state: str) -> None:
    """The run as it was when it had these dumps."""
    info = LogReader(Blobs(source)).info
    for path in source.rglob("*"):
        parts = path.relative_to(source).parts
        if path.is_file() and (parts[0] == "samples" or parts[:2] == ("log", "scalars") or parts[0] == "network.json"):
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / path.relative_to(source))
    for kind in ("predictions", "layers", "kernels", "filters"):
        (target / "log" / kind).mkdir(parents=True, exist_ok=True)
        for path in sorted((source / "log" / kind).iterdir()):
            if int(path.name[:12]) // SCALE.iterations_per_dump in dumps:
                shutil.copyfile(path, target / "log" / kind / path.name)
    LogWriter(Blobs(target)).write_info(dataclasses.replace(info, state=state))


def published(place: Path) -> Published | None:
    return Published.from_json((place / ROOT).read_bytes()) if (place / ROOT).exists() else None


def resume(place: Path, start: int, dumps: int) -> None:
    """Another branch: begins after dump `start`, and repeats earlier dumps with other predictions."""
    blobs = Blobs(place)
    log = LogReader(blobs)
    info = log.info.with_branch(Branch(start * SCALE.iterations_per_dump, "later"))
    writer = LogWriter(blobs, branch=info.branches[-1:] and len(info.branches) - 1)
    writer.write_info(info)
    samples = read_samples(blobs)
    assert samples is not None
    for step in range(1, dumps + 1):
        dump, iteration = log.dumps[step], (start + step) * SCALE.iterations_per_dump
        given = log.predictions(dump, len(samples.labels))
        writer.write_predictions(iteration, Predictions(given.predicted[::-1].copy(), given.probability, given.loss))
        writer.write_layers(iteration, log.histograms(dump))
        writer.write_filters(iteration, {name: -values for name, values in log.filters(dump).items()})


def contents(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in (place / "index").rglob("*") if path.is_file()}
