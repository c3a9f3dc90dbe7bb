"""What is to be found in a run? All rules of analysis/findings on what was recorded, and settings worth looking at.

Layers are taken one after the other, so that memory is bounded. What a run lacks (network, predictions, scalars), the
rules on it are left out for.
"""

from __future__ import annotations

from collections.abc import Iterator

from deeptracker.analysis.findings import Finding, in_order
from deeptracker.analysis.findings.layers import LayerRecord, not_finite
from deeptracker.analysis.suggestions import Setting, suggest_of_bits
from deeptracker.errors import UnknownNameError
from deeptracker.run.class_findings import ClassFindingAnswers

LAYER_MEASURES = ("nonfinite",)


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
        for record in self._layer_records():
            yield from not_finite(record)
        yield from self._class_findings()

    def _layer_records(self) -> Iterator[LayerRecord]:
        try:
            layers = self.network().layers
        except UnknownNameError:
            return
        for number, layer in enumerate(layers):
            values = {name: self._layer_rows(number, name).T for name in LAYER_MEASURES}
            yield LayerRecord(number, layer, self.iterations, values)
