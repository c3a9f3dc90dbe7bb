"""When is an iteration done, if the training has one optimizer or several, and a scaler that skips steps?

1. The optimizers' own step hooks tell. An iteration ends with a step of the last optimizer; what the others do before
   it belongs to it. With one optimizer every step is an iteration.
2. A step that `GradScaler` skips does not count: for most optimizers it never calls `step`; a fused one is called all
   the same, with `found_inf` set, and its kernel does nothing.
3. The gradients of an optimizer's parameters are those that it is about to use. What no optimizer has, or several
   have, goes with the last.
4. A hook that is pickled or copied along with its optimizer becomes one that does nothing: copies are not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

Optimizers = torch.optim.Optimizer | Sequence[torch.optim.Optimizer]


class Part(NamedTuple):
    """The step of one optimizer: `begins` an iteration or not, `ends` it or not; called with a `closure` or not."""

    optimizer: torch.optim.Optimizer
    begins: bool
    ends: bool
    closure: bool

    @property
    def scale(self) -> torch.Tensor | None:
        """What the optimizer is about to divide its gradients by, if it does so itself."""
        return getattr(self.optimizer, "grad_scale", None)


class Steps:
    """Follows optimizers: `before` is called ahead of each one's step, `after` when it is done and was not skipped."""

    def __init__(
        self, optimizers: Sequence[torch.optim.Optimizer], before: Callable[[Part], None], after: Callable[[Part], None]
    ) -> None:
        self._optimizers = tuple(optimizers)
        self._before_call, self._after_call = before, after
        self._is_within = False
        self._part: Part | None = None
        self._handles = [
            handle
            for optimizer in self._optimizers
            for handle in (
                optimizer.register_step_pre_hook(_Hook(optimizer, self._before)),
                optimizer.register_step_post_hook(_Hook(optimizer, self._after)),
            )
        ]

    def remove(self) -> None:
        """Follow no longer."""
        for handle in self._handles:
            handle.remove()

    def owned(self, part: Part) -> Callable[[torch.Tensor], bool]:
        """Tells of a parameter whether its gradient belongs to this part of the iteration (rule 3)."""
        if len(self._optimizers) == 1:
            return lambda parameter: True
        owners: dict[int, list[torch.optim.Optimizer]] = {}
        for one in self._optimizers:
            for group in one.param_groups:
                for parameter in group["params"]:
                    owners.setdefault(id(parameter), []).append(one)
        last = self._optimizers[-1]

        def is_owned(parameter: torch.Tensor) -> bool:
            found = owners.get(id(parameter), [])
            return (found[0] if len(found) == 1 else last) is part.optimizer

        return is_owned

    def learning_rates(self) -> dict[str, Any]:
        """That of every parameter group, by the name it is logged under: `lr`, `lr/1` and so on over all optimizers."""
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        rates = [group.get("lr") for group in groups]
        return {f"lr/{i}" if i else "lr": rate for i, rate in enumerate(rates) if rate is not None}

    def _before(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        ends = optimizer is self._optimizers[-1]
        self._part = Part(optimizer, not self._is_within, ends, _has_closure(args, kwargs))
        self._is_within = True
        self._before_call(self._part)

    def _after(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        part, self._part = self._part, None
        if part is None or part.optimizer is not optimizer:
            return  # the recorder was made, or another optimizer stepped, within this step
        if part.ends:
            self._is_within = False
        if not _is_skipped(optimizer):
            self._after_call(part)


def as_optimizers(given: Any) -> tuple[torch.optim.Optimizer, ...]:
    """One optimizer or several as a tuple; TypeError or ValueError for anything else."""
    optimizers = tuple(given) if isinstance(given, (list, tuple)) else (given,)
    if not optimizers:
        raise ValueError("optimizer must be a torch optimizer, or several. Got an empty list.")
    for optimizer in optimizers:
        if not hasattr(optimizer, "register_step_post_hook"):
            raise TypeError(
                f"optimizer must be a torch optimizer, or several. Got a {type(optimizer).__name__}. "
                "Give the one that it wraps."
            )
    if len({id(optimizer) for optimizer in optimizers}) != len(optimizers):
        raise ValueError("optimizers must differ from each other. Got one twice.")
    return optimizers


class _Hook:
    """A step hook of one optimizer, and of no copy of it."""

    def __init__(self, optimizer: torch.optim.Optimizer, call: Callable[..., None]) -> None:
        self._optimizer, self._call = optimizer, call

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer is self._optimizer:
            self._call(optimizer, args, kwargs)

    def __reduce__(self) -> tuple[Callable[[], Callable[..., None]], tuple[()]]:
        return _no_hook, ()


def _no_hook() -> Callable[..., None]:
    return _do_nothing


def _do_nothing(optimizer: Any, args: Any, kwargs: Any) -> None:
    """The hook of a copy."""


def _has_closure(args: Any, kwargs: Any) -> bool:
    """Was `step` called with a closure? The hooks' `args` begin with the optimizer itself."""
    return any(callable(value) for value in (*args[1:2], kwargs.get("closure")))


def _is_skipped(optimizer: torch.optim.Optimizer) -> bool:
    """Asks the device, for one number, where a scaler leaves it to a fused optimizer to skip."""
    found = getattr(optimizer, "found_inf", None)
    return found is not None and bool(found)
