"""Is a model measured on an accelerator as on the host, by few operations, in bounded memory, and without waiting?

No accelerator is needed: torch knows of each operation what it would make there, and which would wait for the values.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from deeptracker.record import measures, on_device
from deeptracker.record.chunks import Matrix, Room, Segments, dealt_out
from deeptracker.record.dump import Later, Measured, here
from deeptracker.record.measures import Measurer
from deeptracker.record.network import WeightedLayer, weighted_layers
from deeptracker.record.on_device import KEPT_PLANS, DeviceMeasurer
from deeptracker.record.recorder import Recorder
from deeptracker.record.transfer import Arriving
from deeptracker.record.trouble import RecorderWarning
from deeptracker.schema import MEASURES
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader

ROOMS = {
    "one chunk": Room(1 << 22, segments=True, waits=False),
    "several chunks": Room(150, segments=True, waits=False),
    "without segments": Room(150, segments=False, waits=False),
    "on the host": Room(150, segments=False, waits=True),
}


def all_kinds() -> nn.Sequential:
    """Layers of all layouts and dtypes, some of equal fan-in, two larger than a chunk of 150 weights."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last),
        nn.ConvTranspose2d(4, 6, 3, groups=2),
        nn.Linear(27, 3),
        nn.Linear(200, 2),
        nn.Embedding(7, 4, sparse=True),
        nn.Linear(6, 5).to(torch.bfloat16),
        nn.Linear(6, 5).double(),
        nn.Conv2d(6, 6, 3, groups=6),
        nn.Linear(9, 4),  # has no gradient
    )


def random_gradients(model: nn.Module) -> None:
    for layer in weighted_layers(model)[:-1]:
        layer.weight.grad = torch.randn_like(layer.weight) * 0.3
    model[5].weight.grad = model[5].weight.grad.to_sparse(1)


def move(model: nn.Module, by: float) -> None:
    with torch.no_grad():
        for layer in weighted_layers(model):
            layer.weight.add_(torch.randn(layer.weight.shape).to(layer.weight.dtype), alpha=by)


def three_dumps(model: nn.Module, measurer: Any, meanwhile: Callable[[], Any] = lambda: None) -> list[Measured]:
    """Of the same trainings for each measurer: two with a step, and one without."""
    found = []
    torch.manual_seed(1)
    start = [layer.weight.detach().clone() for layer in weighted_layers(model)]
    random_gradients(model)
    with torch.no_grad():
        measurer.remember()
        for dump in range(3):
            move(model, 0.1)
            measurer.clear()
            if dump < 2:
                measurer.before_step()
                measurer.gradients(None, lambda weight: True)
                move(model, 0.01)
                meanwhile()
            measurer.weights()
            found.append(Measured.of(here(measurer.results())))
        for layer, weights in zip(weighted_layers(model), start, strict=True):
            layer.weight.copy_(weights)
    return found


def host_measurer(layers: tuple[WeightedLayer, ...]) -> Any:
    from deeptracker.record.on_host import HostMeasurer

    return HostMeasurer(layers)


def assert_equal(found: list[Measured], expected: list[Measured]) -> None:
    for one, other in zip(found, expected, strict=True):
        for name in MEASURES:
            np.testing.assert_allclose(one.measures[name], other.measures[name], 3e-6, 1e-7, err_msg=name)
        for kind in ("weight_bins", "weight_counts", "grad_bins", "grad_counts"):
            for mine, theirs in zip(getattr(one.histograms, kind), getattr(other.histograms, kind), strict=True):
                np.testing.assert_array_equal(mine, theirs, err_msg=kind)


@pytest.mark.parametrize("room", ROOMS)
def test_layers_of_all_kinds_are_measured_together_as_the_host_measures_each(room: str) -> None:
    model = all_kinds()
    layers = weighted_layers(model)
    expected = three_dumps(model, host_measurer(layers))
    assert_equal(three_dumps(model, DeviceMeasurer(layers, ROOMS[room])), expected)


@pytest.mark.parametrize("room", ROOMS)
def test_nan_and_infinities_stay_in_their_filters(room: str) -> None:
    model = all_kinds()
    with torch.no_grad():
        model[0].weight[2, 1, 0, 0] = torch.nan
        model[3].weight[1, 5] = torch.inf
        model[4].weight[0, 190:192] = torch.tensor([torch.inf, -torch.inf])
    layers = weighted_layers(model)
    expected = three_dumps(model, host_measurer(layers))
    found = three_dumps(model, DeviceMeasurer(layers, ROOMS[room]))
    assert_equal(found, expected)
    assert found[0].measures["nonfinite"].sum() == 4


def test_weights_that_are_laid_out_otherwise_in_mid_training_are_compared_one_by_one() -> None:
    def lay_out_otherwise() -> None:
        for layer, order in ((model[0], torch.channels_last), (model[1], torch.contiguous_format)):
            layer.weight.data = layer.weight.data.contiguous(memory_format=order)

    model = all_kinds()
    layers = weighted_layers(model)
    expected = three_dumps(model, host_measurer(layers))
    assert_equal(three_dumps(model, DeviceMeasurer(layers, ROOMS["one chunk"]), lay_out_otherwise), expected)


def test_the_gradients_of_several_optimizers_are_measured_as_one_s_and_those_measured_last_count() -> None:
    model = all_kinds()
    layers = weighted_layers(model)
    random_gradients(model)
    weights = [layer.weight for layer in layers]
    found = []
    for measurer in (host_measurer(layers), DeviceMeasurer(layers, ROOMS["one chunk"])):
        with torch.no_grad():
            measurer.clear()
            for first in range(KEPT_PLANS + 1):  # each of another set of layers
                measurer.gradients(torch.tensor(2.0), lambda weight, first=first: weight in set(weights[first:]))
                measurer.gradients(None, lambda weight: weight is weights[0])
            measurer.gradients(torch.tensor(8.0), lambda weight: weight is weights[1])
            measurer.weights()
            found.append(Measured.of(here(measurer.results())))
    assert_equal(found[1:], found[:1])


def test_small_layers_share_chunks_and_large_ones_have_their_own() -> None:
    layers = weighted_layers(nn.Sequential(nn.Linear(100, 7), nn.Linear(3, 2), nn.Linear(4, 2), nn.Linear(3, 5)))
    dealt = dealt_out(layers, range(4), Room(200, segments=True, waits=False))
    kinds = [(type(chunk), [(piece.layer, piece.first, piece.last) for piece in chunk.pieces]) for chunk in dealt]
    assert kinds == [
        (Matrix, [(0, 0, 2)]),
        (Matrix, [(0, 2, 4)]),
        (Matrix, [(0, 4, 6)]),
        (Segments, [(1, 0, 2), (3, 0, 5), (2, 0, 2), (0, 6, 7)]),
    ]
    assert all(sorted(np.concatenate([chunk.columns.numpy() for chunk in dealt])) == np.arange(16))


def test_filters_larger_than_a_chunk_have_one_each() -> None:
    dealt = dealt_out(weighted_layers(nn.Linear(100, 3)), [0], Room(10, segments=True, waits=False))
    assert [chunk.weights for chunk in dealt] == [100] * 3


class Operations(TorchDispatchMode):
    """Counts the operations that make or change something, and how many bytes live at once of what they made."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.most_bytes = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.names.append(func.name())
            given = {x.untyped_storage()._cdata for x in args if isinstance(x, torch.Tensor)}
            made = [out] if isinstance(out, torch.Tensor) else []
            for storage in (tensor.untyped_storage() for tensor in made):
                if storage._cdata not in given:
                    self._alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self._alive = {key: kept for key, kept in self._alive.items() if not kept[0].expired()}
        self.most_bytes = max(self.most_bytes, sum(size for _, size in self._alive.values()))
        return out


def a_dump(measurer: DeviceMeasurer) -> None:
    with torch.no_grad():
        measurer.clear()
        measurer.before_step()
        measurer.gradients(None, lambda weight: True)
        measurer.weights()


def with_gradients(*modules: nn.Module) -> tuple[WeightedLayer, ...]:
    layers = weighted_layers(nn.Sequential(*modules))
    for layer in layers:
        layer.weight.grad = torch.ones_like(layer.weight)
    return layers


def operations_of_a_dump(layers: int) -> list[str]:
    measurer = DeviceMeasurer(with_gradients(*(nn.Linear(i, 3) for i in range(1, layers + 1))), ROOMS["one chunk"])
    a_dump(measurer)
    with Operations() as operations:
        a_dump(measurer)
    return operations.names


def test_a_hundred_layers_take_as_many_operations_as_four() -> None:
    few = operations_of_a_dump(4)
    assert operations_of_a_dump(100) == few
    assert len(few) < 150


@pytest.mark.parametrize("segments", [True, False])
def test_what_a_dump_needs_beside_a_copy_of_the_weights_is_bounded_by_the_room_not_by_the_model(segments: bool) -> None:
    room = Room(1 << 15, segments=segments, waits=False)
    layers = with_gradients(*(nn.Linear(100 + 10 * segments * (i % 3), 100) for i in range(40)))
    measurer = DeviceMeasurer(layers, room)
    a_dump(measurer)
    with Operations() as operations:
        a_dump(measurer)
    copy_bytes = 4 * sum(layer.weight.numel() for layer in layers)  # before the step, then for the next dump
    assert copy_bytes > 10 * 4 * room.weights
    assert 0 < operations.most_bytes - copy_bytes < 48 * room.weights


@pytest.mark.parametrize("room", ["one chunk", "several chunks", "without segments"])
def test_nothing_waits_for_an_accelerator(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors on torch's device "meta" have no values: what asks for one, or for a size that depends on one, raises."""
    monkeypatch.setattr(on_device, "_without_autocast", lambda device: nullcontext())
    monkeypatch.setattr(on_device, "Arriving", lambda packed: packed)
    layers = tuple(replace(x, weight=nn.Parameter(x.weight.to("meta"))) for x in weighted_layers(all_kinds()))
    for layer in layers:
        layer.weight.grad = torch.empty_like(layer.weight)
    measurer = DeviceMeasurer(layers, ROOMS[room])
    with torch.no_grad():
        measurer.remember()
        for _ in range(2):
            a_dump(measurer)
            measurer.gradients(torch.ones((), device="meta"), lambda weight: weight is not layers[0].weight)
        measurer.results()


def test_the_copy_from_cuda_goes_to_pinned_memory_and_is_waited_for_when_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    class Event:
        def synchronize(self) -> None:
            done.append("waited")

    class Stream:
        def record_event(self) -> Event:
            done.append("recorded")
            return Event()

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    with FakeTensorMode(), Copies() as copies:
        arriving = Arriving(torch.zeros(3, device="cuda"))
    assert copies.are_waited_for == [False]
    assert done == ["recorded"]
    monkeypatch.setattr(arriving, "_copy", torch.arange(3))  # of a tensor without values there is nothing to see
    assert arriving.here().tolist() == [0, 1, 2]
    assert done == ["recorded", "waited"]


class Copies(TorchDispatchMode):
    """Of each copy: does it block?"""

    def __init__(self) -> None:
        super().__init__()
        self.are_waited_for: list[bool] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.name() == "aten::copy_":
            self.are_waited_for.append(not args[2])
        return func(*args, **(kwargs or {}))


def test_what_is_on_its_way_is_not_touched_by_the_next_dump() -> None:
    layers = with_gradients(nn.Linear(4, 2))
    measurer = DeviceMeasurer(layers, ROOMS["one chunk"])
    a_dump(measurer)
    first = measurer.results()
    with torch.no_grad():
        layers[0].weight.add_(1)
    a_dump(measurer)
    before = (layers[0].weight.detach() - 1).sum(1)
    np.testing.assert_allclose(first.here()[0][0][0], before, 1e-5, 1e-6)


def test_the_writer_thread_waits_for_the_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "HAS_COMPILER", False)
    model = nn.Sequential(nn.Linear(4, 2))
    assert isinstance(Measurer(weighted_layers(model)).after_step_later(), Later)
    with Recorder(tmp_path, model, torch.optim.SGD(model.parameters(), lr=0.1), index=False):
        expected = model[0].weight.detach().sum(1)
    log = LogReader(Blobs(tmp_path))
    np.testing.assert_allclose(log.filters(log.dumps[0])["sum"], expected, 1e-5)


def test_measures_that_do_not_arrive_are_a_loss_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "HAS_COMPILER", False)
    monkeypatch.setattr(Arriving, "here", lambda self: 1 / 0)
    model = nn.Sequential(nn.Linear(4, 2))
    recorder = Recorder(tmp_path, model, torch.optim.SGD(model.parameters(), lr=0.1), index=False)
    with recorder, pytest.warns(RecorderWarning, match="could not record dump at iteration 0: ZeroDivisionError"):
        recorder.flush()
