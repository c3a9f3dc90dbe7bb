"""What is to be found in a run? All rules of analysis/findings on what was recorded, and settings worth looking at.

1. Layers are read in groups of at most 64 MiB, or one by one where they are larger; of each a summary stays
   (summary.py). A log without an index has all filters of a dump in one file, which is read once for each group.
2. What a run lacks (network, gradients, predictions, scalars), the rules on it are left out for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from deeptracker.analysis.findings import Finding, in_order
from deeptracker.analysis.findings.filters import over_active_filters
from deeptracker.analysis.findings.gradients import exploding_gradients, vanishing_gradients
from deeptracker.analysis.findings.layers import LAYER_MEASURES, MEASURES_AT_BEGINNING, LayerRecord, known_rows
from deeptracker.analysis.findings.network import (
    dead_filters,
    decaying_filters,
    frozen_layers,
    initialisation,
    not_finite,
)
from deeptracker.analysis.findings.steps import update_ratios
from deeptracker.analysis.findings.summary import LayerSummary, summary_of
from deeptracker.analysis.findings.too_high import learning_rate_too_high
from deeptracker.analysis.findings.training import (
    TrainingRecord,
    error_steps,
    loss_spikes,
    not_learning,
    overfitting,
    underfitting,
    usual_error,
)
from deeptracker.analysis.suggestions import Setting, suggest_of_bits
from deeptracker.run.class_findings import ClassFindingAnswers
from deeptracker.run.opened import Floats
from deeptracker.schema import Layer

GROUP_BYTES = 1 << 26

OF_NETWORK = (
    not_finite,
    frozen_layers,
    dead_filters,
    decaying_filters,
    vanishing_gradients,
    exploding_gradients,
    initialisation,
)
OF_TRAINING = (not_learning, overfitting, underfitting, loss_spikes, error_steps)


class FindingAnswers(ClassFindingAnswers):
    """Findings and suggestions. Both read much of the run: seconds where it is large."""

    def findings(self) -> tuple[Finding, ...]:
        """Everything that the rules find up to now, the severest first."""
        return self._kept(("findings",), lambda: in_order(self._find()))

    def suggestions(self, settings: int = 3) -> list[Setting]:
        """At most so many windows and thresholds that show anomalies which chance does not explain, the best first.

        None where chance explains all, the record is short, or nothing was predicted (paper, 10).
        """
        if self.samples is None:
            return []
        return self._kept(("suggestions", settings), lambda: self._suggest(settings))

    def _suggest(self, settings: int) -> list[Setting]:
        words, dumps = self._correct_bits()
        return suggest_of_bits(words, dumps, self._known_samples().class_offsets, settings=settings)

    def _find(self) -> Iterator[Finding]:
        yield from self._find_in_weights()
        yield from self._class_findings()

    def _find_in_weights(self) -> Iterator[Finding]:
        """What layers and the training as a whole have."""
        training = self._training_record()
        summaries: list[LayerSummary] = []
        measured = training
        for record, is_last in self._layer_records():
            summaries.append(summary_of(record))
            if not is_last:
                yield from over_active_filters(record)
            measured = training.at(np.searchsorted(self.iterations, record.iterations))
        for of_network in OF_NETWORK:
            yield from of_network(summaries, measured.iterations)
        yield from update_ratios(summaries, measured.iterations, measured.learning_rate)
        for of_training in OF_TRAINING:
            yield from of_training(training)
        yield from learning_rate_too_high(measured, summaries)

    def _layer_records(self) -> Iterator[tuple[LayerRecord, bool]]:
        """Layer after layer, and whether it is the last; none where there is no network or no dump of filters yet.

        Dumps of predictions alone, between those, are left out: what comes before a dump is what it is compared with.
        """
        if not self.has_network or not len(self.iterations):
            return
        layers, at_all = self.network().layers, [name for name in LAYER_MEASURES if name not in MEASURES_AT_BEGINNING]
        begun: dict[str, Floats] = {}
        for group in _groups(layers, GROUP_BYTES // (4 * len(at_all) * len(self.iterations))):
            first = layers[group[0]].offset
            read = self._filters.stretch(at_all, slice(first, layers[group[-1]].rows.stop))
            dumps = np.flatnonzero(known_rows(read[:, at_all.index("nonfinite")]))  # it is a number in every such dump
            if not len(dumps):
                return
            begun = begun or {
                name: self._filters.at(self._log.dumps[dumps[0]], name)[None] for name in MEASURES_AT_BEGINNING
            }
            for number in group:
                rows = layers[number].rows
                here = read[dumps, :, rows.start - first : rows.stop - first]
                values = {name: here[:, place] for place, name in enumerate(at_all)}
                values |= {name: row[:, rows] for name, row in begun.items()}
                yield LayerRecord(number, layers[number], self.iterations[dumps], values), number == len(layers) - 1

    def _training_record(self) -> TrainingRecord:
        rows = self.scalars()
        sizes = np.diff(self._known_samples().class_offsets) if self.samples is not None else np.zeros(0, np.int64)
        samples = int(sizes.sum())
        return TrainingRecord(
            self.iterations,
            self.training_error().astype(np.float64),
            self.validation_error().astype(np.float64),
            usual_error(self.error_rates()) if self.samples is not None else np.full(len(self.iterations), np.nan),
            self.learning_rate().astype(np.float64),
            rows["iteration"],
            rows.get("loss", np.full(len(rows["iteration"]), np.nan)),
            self.learning_rate_stages(),
            samples,
            float(sizes.max() / samples) if samples else 0.0,
        )


def _groups(layers: Sequence[Layer], most: int) -> Iterator[list[int]]:
    """Indexes of neighbouring layers that together have at most so many filters, or of one that has more."""
    group: list[int] = []
    filters = 0
    for number, layer in enumerate(layers):
        if group and filters + layer.filters > most:
            yield group
            group, filters = [], 0
        group.append(number)
        filters += layer.filters
    if group:
        yield group
