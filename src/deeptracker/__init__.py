"""See what happens inside the training of a CNN: every filter, every class, every validation image, over time.

>>> import deeptracker
>>> deeptracker.__version__
'0.1.0'

`Recorder` records a training of PyTorch, `ArrayRecorder` one of any framework by its arrays; `LightningCallback`,
`TransformersCallback` and `KerasCallback` make them within trainers. `open_run` reads. All are imported when first
used, so `import deeptracker` is quick and loads neither a framework nor the web's.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deeptracker.record.array_recorder import ArrayRecorder as ArrayRecorder
    from deeptracker.record.keras import KerasCallback as KerasCallback
    from deeptracker.record.lightning import LightningCallback as LightningCallback
    from deeptracker.record.recorder import Recorder as Recorder
    from deeptracker.record.stop_rules import TrainingStopped as TrainingStopped
    from deeptracker.record.transformers import TransformersCallback as TransformersCallback
    from deeptracker.record.trouble import RecorderWarning as RecorderWarning
    from deeptracker.run import Run as Run
    from deeptracker.run import open_run as open_run

__version__ = "0.1.0"
__all__ = [
    "ArrayRecorder",
    "KerasCallback",
    "LightningCallback",
    "Recorder",
    "RecorderWarning",
    "Run",
    "TrainingStopped",
    "TransformersCallback",
    "__version__",
    "open_run",
]

_PLACES = {
    "ArrayRecorder": "deeptracker.record.array_recorder",
    "KerasCallback": "deeptracker.record.keras",
    "LightningCallback": "deeptracker.record.lightning",
    "Recorder": "deeptracker.record.recorder",
    "RecorderWarning": "deeptracker.record.trouble",
    "Run": "deeptracker.run",
    "TrainingStopped": "deeptracker.record.stop_rules",
    "TransformersCallback": "deeptracker.record.transformers",
    "open_run": "deeptracker.run",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'deeptracker' has no attribute {name!r}. It has {', '.join(__all__)}.")
    return getattr(import_module(_PLACES[name]), name)
