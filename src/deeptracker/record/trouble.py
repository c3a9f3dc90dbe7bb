"""How does an error of ours reach the user without stopping the training?

As one warning, pointing at the user's own line: the frames of the recorder, of torch and of trainers are walked over,
because the recorder is called from `optimizer.step()` and the line in there tells nobody anything.
"""

from __future__ import annotations

import sys
import warnings
from types import FrameType

_NOT_THE_USER = (
    *("deeptracker.record", "torch", "contextlib", "weakref", "threading"),
    *("lightning", "pytorch_lightning", "lightning_fabric", "transformers", "accelerate", "keras"),
)


class RecorderWarning(RuntimeWarning):
    """Something could not be recorded. Training goes on."""


def warn_user(text: str) -> None:
    """Warn with a `RecorderWarning` at the line of the user's code that led here."""
    frame = _user_frame(sys._getframe(1))
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    module = frame.f_globals.get("__name__", "__main__")
    warnings.warn_explicit(text, RecorderWarning, frame.f_code.co_filename, frame.f_lineno, module, registry)


def _user_frame(frame: FrameType) -> FrameType:
    found: FrameType | None = frame
    while found is not None and _is_ours(found.f_globals.get("__name__", "")):
        frame, found = found, found.f_back
    return found or frame


def _is_ours(module: str) -> bool:
    return any(module == name or module.startswith(name + ".") for name in _NOT_THE_USER)
