"""What version have the files that we write, and how is one of our JSON documents read?

A document says what it is (`format`) and in which version (`format_version`). Another version is refused by name, and
whatever is wrong with a document becomes one error that names its file.
"""

from __future__ import annotations

import json
from typing import Any

from deeptracker.errors import FormatVersionError, LogFileError

FORMAT_VERSION = 1


def parse_document(data: bytes, kind: str, *, place: str) -> dict[str, Any]:
    """The fields of one of our JSON files, `format` and `format_version` checked and taken off."""
    try:
        document = json.loads(data)
    except ValueError as error:
        raise LogFileError(f"{place} must be JSON. It is empty, cut short or damaged ({error}).") from error
    if not isinstance(document, dict) or document.pop("format", None) != kind:
        raise LogFileError(f"{place} must be a {kind} file. It is something else; move it out of the run's folder.")
    check_version(document.pop("format_version", None), place=place)
    return document


def check_version(version: object, *, place: str) -> None:
    """`FormatVersionError` unless `version` is the one that this DeepTracker reads."""
    if version != FORMAT_VERSION:
        raise FormatVersionError(
            f"{place} has format version {version}, this DeepTracker reads version {FORMAT_VERSION}. "
            "Open the run with the DeepTracker that recorded it, or a newer one: pip install -U deeptracker"
        )


class Naming:
    """Turns the errors of a malformed document into one that names the file."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (KeyError, TypeError, ValueError)):
            raise LogFileError(f"{self.place} has fields missing or of the wrong kind ({error}).") from error
