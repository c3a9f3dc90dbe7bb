"""How does a finding look as JSON: to the page, to scripts, to whom a webhook tells it?

Of samples there may be very many: the first MOST_SAMPLES are listed, and how many there are is said. `whole` keeps all,
so that `finding_of` makes the same finding of it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deeptracker.analysis.findings.finding import Finding, Place

MOST_SAMPLES = 500

Json = dict[str, Any]


def as_json(finding: Finding) -> Json:
    """All that is to be said of a finding (docs/http-api.md, `/api/findings`)."""
    place, about = finding.place, finding.about
    return {
        "key": finding.key,
        "kind": finding.kind,
        "severity": finding.severity,
        "title": about.title,
        "text": finding.text,
        "evidence": finding.evidence,
        "meaning": about.meaning,
        "remedy": about.remedy,
        "view": about.view,
        "measure": about.measure,
        "layer": place.layer,
        "filters": list(place.filters),
        "classes": list(place.classes),
        "samples": list(place.samples[:MOST_SAMPLES]),
        "sample_count": len(place.samples),
        "first": place.first,
        "last": place.last,
    }


def whole(finding: Finding) -> Json:
    """Only what is not known by its kind, and all samples."""
    return asdict(finding)


def finding_of(told: Mapping[str, Any]) -> Finding:
    """The finding that `whole` was told of, which may have been sent as text.

    >>> finding = Finding("frozen-layer", "low", "conv1 never changes.", "...", Place(layer=0, first=0, last=9))
    >>> finding_of(whole(finding)) == finding
    True
    """
    place: Json = {name: tuple(value) if isinstance(value, list) else value for name, value in told["place"].items()}
    return Finding(**{**told, "place": Place(**place)})
