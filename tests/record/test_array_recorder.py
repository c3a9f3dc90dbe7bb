"""Does a run recorded from arrays look as if the recorder had recorded the model?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import deeptracker
from deeptracker.errors import RunExistsError
from deeptracker.record.array_recorder import ArrayRecorder
from deeptracker.record.recorder import Recorder
from deeptracker.record.trouble import RecorderWarning
from deeptracker.schema import MEASURES
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Pictures, read_samples

X, Y = torch.rand(24, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(24).flip(0) % 4
NAMES = ("0", "2", "5")


def make() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 4)
    )
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def last(tensor: torch.Tensor) -> np.ndarray:
    """As Keras and JAX have it: filters last."""
    return tensor.detach().permute(*range(2, tensor.ndim), 1, 0).numpy().copy()


def weights(model: nn.Module) -> dict[str, Any]:
    return {name: last(model.get_submodule(name).weight) for name in NAMES}


def gradients(model: nn.Module) -> dict[str, Any]:
    return {name: last(model.get_submodule(name).weight.grad) for name in NAMES}


def train(model: nn.Module, optimizer: torch.optim.Optimizer) -> torch.Tensor:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(X), Y)
    loss.backward()
    optimizer.step()
    return loss


def logits(model: nn.Module) -> np.ndarray:
    with torch.no_grad():
        return model(X).numpy()


def record(run: Path, iterations: range, resume: int | None = None, every: int = 2) -> None:
    """Iterations of a training that is recorded from arrays; what comes before them is not."""
    model, optimizer = make()
    for _ in range(1, iterations.start):
        train(model, optimizer)
    with ArrayRecorder(
        run, weights(model), layout="...io", validation=(X, Y), every=every, resume=resume, strict=True
    ) as recorder:
        recorder.log_dump(iterations.start - 1, weights(model), predictions=logits(model))
        for iteration in iterations:
            before = weights(model)
            recorder.log(iteration, loss=train(model, optimizer).item())
            if recorder.is_due(iteration):
                recorder.log_dump(iteration, weights(model), gradients(model), logits(model), before=before)


def read(run: Path) -> LogReader:
    return LogReader(Blobs(run))


def test_a_run_from_arrays_holds_what_the_recorder_writes(tmp_path: Path) -> None:
    runs = tmp_path / "arrays", tmp_path / "tensors"
    record(runs[0], range(1, 8))
    model, optimizer = make()
    with Recorder(runs[1], model, optimizer, validation=(X, Y), every=2, strict=True) as recorder:
        for _ in range(7):
            recorder.log(loss=train(model, optimizer))
    arrays, tensors = read(runs[0]), read(runs[1])
    assert arrays.network is not None
    assert tensors.network is not None
    assert arrays.network.layers == tensors.network.layers
    assert arrays.network.hierarchy == tensors.network.hierarchy
    assert [dump.iteration for dump in arrays.dumps] == [dump.iteration for dump in tensors.dumps] == [0, 2, 4, 6]
    dumps = ("filters", "kernels", "layers", "predictions")
    files = [{str(path.relative_to(run)) for kind in dumps for path in (run / "log" / kind).iterdir()} for run in runs]
    assert files[0] == files[1]
    assert len(files[0]) == 4 * 4
    for mine, theirs in zip(arrays.dumps, tensors.dumps, strict=True):
        for name in MEASURES:
            np.testing.assert_allclose(
                arrays.filters(mine)[name], tensors.filters(theirs)[name], rtol=2e-6, atol=1e-7, err_msg=name
            )
        found, expected = arrays.kernels(mine), tensors.kernels(theirs)
        assert found is not None
        assert expected is not None
        assert found.layer == expected.layer
        np.testing.assert_array_equal(found.values, expected.values)
        histograms, known = arrays.histograms(mine), tensors.histograms(theirs)
        for a, b in zip(
            histograms.weight_counts + histograms.grad_bins, known.weight_counts + known.grad_bins, strict=True
        ):
            np.testing.assert_array_equal(a, b)
        predicted, by_model = arrays.predictions(mine, 24), tensors.predictions(theirs, 24)
        np.testing.assert_array_equal(predicted.predicted, by_model.predicted)
        np.testing.assert_allclose(predicted.probability, by_model.probability, rtol=2e-3)
    assert Pictures(Blobs(runs[0])).get(5) == Pictures(Blobs(runs[1])).get(5)
    assert read_samples(Blobs(runs[0])).ids == read_samples(Blobs(runs[1])).ids  # type: ignore[union-attr]
    scalars, theirs_too = arrays.scalars(), tensors.scalars()
    for name in ("iteration", "loss", "validation_error"):
        np.testing.assert_allclose(scalars[name], theirs_too[name])
    assert arrays.check() == []
    assert (arrays.info.state, arrays.info.lost, arrays.info.overhead["dumps"]) == ("finished", (), 4)


def test_a_resumed_run_has_no_gaps_and_no_dump_twice(tmp_path: Path) -> None:
    record(tmp_path / "whole", range(1, 11))
    record(tmp_path / "parts", range(1, 8))  # went on to 7; the checkpoint is of 4
    record(tmp_path / "parts", range(5, 11), resume=4)
    whole, parts = read(tmp_path / "whole"), read(tmp_path / "parts")
    assert [dump.iteration for dump in parts.dumps] == [0, 2, 4, 6, 8, 10]
    assert not list((tmp_path / "parts").rglob("*000004.branch001*"))
    for a, b in zip(whole.dumps, parts.dumps, strict=True):
        for name in MEASURES:
            np.testing.assert_array_equal(whole.filters(a)[name], parts.filters(b)[name], err_msg=name)
    assert parts.scalars()["iteration"].tolist() == list(range(11))
    assert [branch.start for branch in parts.info.branches] == [0, 4]


def test_a_run_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    record(tmp_path / "run", range(1, 3))
    with pytest.raises(RunExistsError):
        record(tmp_path / "run", range(1, 3))


def test_dumps_may_come_as_they_are_logged(tmp_path: Path) -> None:
    kernel = np.random.default_rng(0).normal(size=(4, 3))
    with ArrayRecorder(tmp_path / "run", {"a": kernel}, strict=True) as recorder:
        for iteration in (7, 100):
            assert recorder.is_due(iteration)
            recorder.log_dump(iteration, {"a": kernel})
            kernel *= 2
    run = deeptracker.open_run(tmp_path / "run")
    assert run.iterations.tolist() == [7, 100]
    assert run.info.every == "whenever one is logged"
    np.testing.assert_allclose(run.filter_stats("a", "change")[:, 1], 1)


def test_the_first_dump_is_due_whatever_the_schedule_says(tmp_path: Path) -> None:
    with ArrayRecorder(tmp_path / "run", {"a": (4, 3)}, every=5, strict=True) as recorder:
        assert [i for i in range(11) if recorder.is_due(i)] == [0, 5, 10]
        recorder.log_dump(0, {"a": np.ones((4, 3))})
        recorder.log(3, loss=1)
        assert not recorder.is_due(3)


def test_an_error_is_a_warning_and_is_told_and_the_next_dump_is_whole(tmp_path: Path) -> None:
    recorder = ArrayRecorder(tmp_path / "run", {"a": (4, 3)}, validation=(None, np.zeros(2, int)))
    recorder.log_dump(0, {"a": np.ones((4, 3))})
    with pytest.warns(RecorderWarning, match=r"must have shape \(4, 3\)") as caught:
        recorder.log_dump(1, {"a": np.ones((3, 4))}, predictions=np.zeros((2, 2)))
    assert caught[0].filename == __file__
    recorder.log_dump(2, {"a": np.ones((4, 3))})
    recorder.log_dump(3, {"a": np.ones((4, 3))})
    with pytest.warns(RecorderWarning, match="ascending"):
        recorder.log_dump(3, {"a": np.ones((4, 3))})
    with pytest.warns(RecorderWarning, match="must not descend"):
        recorder.log(1, loss=2)
    recorder.close()
    reader = read(tmp_path / "run")
    assert [sorted(dump.paths) for dump in reader.dumps] == [
        ["filters", "layers"],
        ["predictions"],
        *2 * [["filters", "layers"]],
    ]
    assert len(reader.info.lost) == 3
    assert np.isnan(reader.filters(reader.dumps[2])["change"]).all()
    assert (reader.filters(reader.dumps[3])["change"] == 0).all()


def test_what_comes_after_the_end_is_refused(tmp_path: Path) -> None:
    recorder = ArrayRecorder(tmp_path / "run", {"a": (4, 3)})
    recorder.close()
    with pytest.warns(RecorderWarning, match="must be open"):
        recorder.log_dump(0, {"a": np.ones((4, 3))})
    with pytest.warns(RecorderWarning, match="must be open"):
        recorder.log(0, loss=1)
    assert read(tmp_path / "run").dumps == ()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_parameters_of_flax_are_layers_by_their_flattened_names(tmp_path: Path) -> None:
    flax = pytest.importorskip("flax", reason="flax is not installed")
    jax = pytest.importorskip("jax", reason="jax is not installed")
    from flax import linen

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x: Any) -> Any:
            x = linen.relu(linen.Conv(5, (3, 3))(x))
            return linen.Dense(4)(x.reshape(len(x), -1))

    images = jax.numpy.asarray(X.permute(0, 2, 3, 1).numpy())
    net = Net()
    params = net.init(jax.random.key(0), images)["params"]
    flat = flax.traverse_util.flatten_dict(params, sep=".")
    kernels = {name: value for name, value in flat.items() if name.endswith("kernel")}
    with ArrayRecorder(tmp_path / "run", kernels, layout="...io", validation=(images, Y), strict=True) as recorder:
        recorder.log_dump(0, kernels, predictions=net.apply({"params": params}, images))
    reader = read(tmp_path / "run")
    assert reader.network is not None
    assert {layer.name: layer.shape for layer in reader.network.layers} == {
        "Conv_0.kernel": (5, 3, 3, 3),
        "Dense_0.kernel": (4, 320),
    }
    found = reader.kernels(reader.dumps[0])
    assert found is not None
    np.testing.assert_array_equal(found.values, np.asarray(params["Conv_0"]["kernel"]).transpose(3, 2, 0, 1))
    assert Pictures(Blobs(tmp_path / "run")).get(0)


def test_strict_raises(tmp_path: Path) -> None:
    with (
        ArrayRecorder(tmp_path / "run", {"a": (4, 3)}, strict=True) as recorder,
        pytest.raises(ValueError, match="Got none for a"),
    ):
        recorder.log_dump(0, {})


def test_an_exception_ends_the_run_as_failed(tmp_path: Path) -> None:
    recorder = ArrayRecorder(tmp_path / "run", {"a": (4, 3)})
    recorder.log(1, loss=0.5)
    with pytest.raises(KeyError), recorder:
        raise KeyError("x")
    info = read(tmp_path / "run").info
    assert (info.state, info.exception) == ("failed", "KeyError: 'x'")
    assert read(tmp_path / "run").scalars()["loss"].tolist() == [0.5]


def test_flushed_is_on_disk(tmp_path: Path) -> None:
    recorder = ArrayRecorder(tmp_path / "run", {"a": (4, 3)}, strict=True)
    recorder.log_dump(0, {"a": np.ones((4, 3))})
    recorder.flush()
    assert len(read(tmp_path / "run").dumps) == 1
    recorder.close()
