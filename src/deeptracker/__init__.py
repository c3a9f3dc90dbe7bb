"""See what happens inside the training of a CNN: every filter, every class, every validation image, over time.

>>> import deeptracker
>>> deeptracker.__version__
'0.1.0'

`Recorder` records (it needs torch), `open_run` reads. Both are imported when first used, so `import deeptracker` is
quick and loads neither torch nor the web framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deeptracker.record.recorder import Recorder as Recorder
    from deeptracker.record.trouble import RecorderWarning as RecorderWarning
    from deeptracker.run import Run as Run
    from deeptracker.run import open_run as open_run

__version__ = "0.1.0"
__all__ = ["Recorder", "RecorderWarning", "Run", "__version__", "open_run"]

_PLACES = {
    "Recorder": "deeptracker.record.recorder",
    "RecorderWarning": "deeptracker.record.trouble",
    "Run": "deeptracker.run",
    "open_run": "deeptracker.run",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'deeptracker' has no attribute {name!r}. It has {', '.join(__all__)}.")
    return getattr(import_module(_PLACES[name]), name)
