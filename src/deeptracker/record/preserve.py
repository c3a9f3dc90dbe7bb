"""How can a model be evaluated in the middle of training so that training does not notice?

`undisturbed` puts back, bit for bit: the training flag of every module, every buffer, the random state of torch (each
device in use), numpy and Python, and of the generators that the validation data keep for themselves. Flags are set
one by one, not by `model.eval()`: some models do more in it, such as merging adapters into their weights.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn

_LEADING_FURTHER = ("sampler", "batch_sampler", "dataset", "transform", "transforms")
_DEEPEST = 6


@contextmanager
def undisturbed(model: nn.Module, data: object = None) -> Iterator[None]:
    """Within it, all modules of `model` are in eval mode and gradients off; after it, everything is as before."""
    with ExitStack() as stack:
        for restore in _random_states(data):
            stack.callback(restore)
        stack.callback(_flags(model))
        stack.callback(_buffers(model))
        stack.callback(_shards(model))
        for module in model.modules():
            module.training = False
        stack.enter_context(_not_compiling())
        stack.enter_context(torch.no_grad())
        yield


def _not_compiling() -> AbstractContextManager[Any]:
    """Compiled parts run as they were written: in eval mode they would be compiled anew, and a few times only."""
    set_stance = getattr(torch.compiler, "set_stance", None)  # since torch 2.6
    return nullcontext() if set_stance is None else set_stance("force_eager")


def _flags(model: nn.Module) -> Callable[[], None]:
    flags = [(module, module.training) for module in model.modules()]

    def restore() -> None:
        for module, training in flags:
            module.training = training

    return restore


def _buffers(model: nn.Module) -> Callable[[], None]:
    kept = [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False, remove_duplicate=False)
    ]

    def restore() -> None:
        for module, name, buffer, before in kept:
            if getattr(module, name, None) is not buffer:
                setattr(module, name, buffer)
            if not torch.equal(buffer, before):  # untouched ones keep their version counter: autograd checks it
                with torch.no_grad():
                    buffer.copy_(before)

    return restore


def _shards(model: nn.Module) -> Callable[[], None]:
    """What FSDP gathers for a forward pass is given back; its root would keep it until a backward pass."""
    owners: list[Any] = [one for one in model.modules() if hasattr(one, "reshard") and hasattr(one, "unshard")]
    were_spread = all(hasattr(parameter, "placements") for owner in owners for parameter in owner.parameters())

    def restore() -> None:
        for owner in owners if were_spread else ():
            owner.reshard()

    return restore


def _random_states(data: object) -> list[Callable[[], None]]:
    restores = [_restoring(torch.get_rng_state, torch.set_rng_state), _restoring(random.getstate, random.setstate)]
    restores.append(_restoring(np.random.get_state, np.random.set_state))
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        restores.append(_restoring(torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all))
    if torch.backends.mps.is_available():
        restores.append(_restoring(torch.mps.get_rng_state, torch.mps.set_rng_state))
    return restores + [_restoring(*access) for access in _generators_of(data, set(), _DEEPEST)]


def _restoring(get: Callable[[], Any], put: Callable[[Any], Any]) -> Callable[[], None]:
    state = get()
    return lambda: put(state)


def _generators_of(owner: Any, seen: set[int], depth: int) -> Iterator[tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """Ways to get and set the state of each generator that a loader, sampler, data set or transform holds."""
    if owner is None or id(owner) in seen or depth == 0:
        return
    seen.add(id(owner))
    if isinstance(owner, (list, tuple)):
        if len(owner) <= 100:
            for item in owner:
                yield from _generators_of(item, seen, depth - 1)
        return
    for name, value in list(getattr(owner, "__dict__", {}).items()):
        if id(value) in seen:
            continue
        access = _access(value)
        if access is not None:
            seen.add(id(value))
            yield access
        elif name.removeprefix("_") in _LEADING_FURTHER:
            yield from _generators_of(value, seen, depth - 1)


def _access(value: Any) -> tuple[Callable[[], Any], Callable[[Any], Any]] | None:
    if isinstance(value, torch.Generator):
        return value.get_state, value.set_state
    if isinstance(value, random.Random):
        return value.getstate, value.setstate
    if isinstance(value, np.random.RandomState):
        return value.get_state, value.set_state
    if isinstance(value, np.random.Generator):
        bits = value.bit_generator
        return lambda: bits.state, lambda state: setattr(bits, "state", state)
    return None
