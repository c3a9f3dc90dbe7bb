"""How does a name on the command line become the Python object that it stands for?

`package.module:function` is a function that the user wrote, `package.module.Class` a class. Modules are looked for
where Python looks, and in the folder that the command was given in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from deeptracker.errors import DeepTrackerError


class NamedObjectError(DeepTrackerError, ValueError):
    """A name that leads to nothing, or to something else than it should."""


def named_function(name: str, *, folder: str | None = None) -> Callable[..., Any]:
    """The function of `package.module:function`; modules may lie in `folder` too. NamedObjectError if there is none."""
    module, colon, attribute = name.partition(":")
    if not colon or not module or not attribute:
        raise NamedObjectError(f"a function must be named package.module:function. Got {name!r}.")
    if folder is not None and folder not in sys.path:
        sys.path.insert(0, folder)
    found = _attribute(_imported(module, name), attribute, name)
    if not callable(found):
        raise NamedObjectError(f"{name} must be a function. It is a {type(found).__name__}.")
    function: Callable[..., Any] = found
    return function


def named_class(name: str) -> type:
    """The class of `package.module.Class`; NamedObjectError if there is none.

    >>> named_class("argparse.Namespace")
    <class 'argparse.Namespace'>
    """
    module, _, attribute = name.rpartition(".")
    if not module:
        raise NamedObjectError(f"a class must be named package.module.Class. Got {name!r}.")
    found = _attribute(_imported(module, name), attribute, name)
    if not isinstance(found, type):
        raise NamedObjectError(f"{name} must be a class. It is a {type(found).__name__}.")
    return found


def _imported(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise NamedObjectError(
                f"the module of {name} must be there. There is no {error.name}. Run the command in the folder that "
                "holds it, or install it."
            ) from error
        raise NamedObjectError(f"the module of {name} must be importable. It is not: {error}.") from error


def _attribute(module: Any, path: str, name: str) -> Any:
    found = module
    for part in path.split("."):
        if not hasattr(found, part):
            raise NamedObjectError(f"{name} must be there. {module.__name__} has no {path!r}.")
        found = getattr(found, part)
    return found
