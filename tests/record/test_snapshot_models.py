"""Snapshots, the network and validation data make the run that the recorder would have written, every view included."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from deeptracker import Recorder, open_run
from deeptracker.demo.datasets import load_dataset
from deeptracker.errors import DatasetError
from deeptracker.record.checkpoints import import_checkpoints
from deeptracker.record.named import NamedObjectError
from deeptracker.record.validation_sets import ValidationSpec
from deeptracker.record.weights import SnapshotError
from deeptracker.schema import GRADIENT_MEASURES, MEASURES
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from tests.record.test_checkpoints import log

EPOCHS = 20
UNKNOWN = {*GRADIENT_MEASURES, "update_ratio"}
"""What no checkpoint tells: gradients, and the weights right before a step."""

MODEL = f"{__name__}:small_network"


class SmallNetwork(nn.Module):
    """Batch normalisation and dropout, so that the mode matters; a transposed convolution, whose filters lie otherwise.

    The modules are not in the order in which data reaches them.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.head = nn.Linear(8 * 64, classes)
        self.up = nn.ConvTranspose2d(6, 8, 2, stride=2)
        self.begin = nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.norm(self.begin(x))), 2)
        x = functional.dropout(functional.relu(self.up(x)), 0.2, self.training)
        return self.head(x.flatten(1))


def small_network() -> nn.Module:
    torch.manual_seed(1)
    return SmallNetwork()


def of_other_classes() -> nn.Module:
    return SmallNetwork(11)


def of_another_kind() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.Flatten(), nn.Linear(6 * 36, 10))


def no_module() -> int:
    return 1


def shuffled() -> object:
    data = torch.utils.data.TensorDataset(torch.rand(8, 1, 8, 8), torch.arange(8))
    return torch.utils.data.DataLoader(data, shuffle=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty epochs on the digits: `live` as the recorder wrote it, `checkpoints` one file an epoch; to be left so."""
    place = tmp_path_factory.mktemp("trained")
    data = load_dataset("digits")
    x_test, y_test = torch.from_numpy(data.x_test).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(data.y_test)
    x, y = torch.from_numpy(data.x_train).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(data.y_train)
    np.savez(place / "digits.npz", x_test=data.x_test, y_test=data.y_test, class_names=np.array(data.class_names))
    (place / "checkpoints").mkdir()
    torch.manual_seed(0)
    model = SmallNetwork()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    batches = list(zip(x.split(128), y.split(128), strict=True))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def save(epoch: int) -> None:
        content = {"global_step": epoch * len(batches), "epoch": epoch, "model_state_dict": model.state_dict()}
        torch.save(content, place / "checkpoints" / f"epoch-{epoch}.pt")

    with Recorder(
        place / "live", model, optimizer, validation=(x_test, y_test), every=len(batches), index=False, strict=True
    ):
        save(0)
        for epoch in range(1, EPOCHS + 1):
            for images, labels in batches:
                optimizer.zero_grad()
                functional.cross_entropy(model(images), labels).backward()
                optimizer.step()
            save(epoch)
    torch.set_num_threads(threads)
    return place


def digits(trained: Path, **more: object) -> ValidationSpec:
    return ValidationSpec(str(trained / "digits.npz"), **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def imported(trained: Path) -> Path:
    """The run of all its checkpoints, as one process makes it; not to be changed."""
    import_checkpoints(trained / "checkpoints", trained / "imported", model=MODEL, validation=digits(trained))
    return trained / "imported"


def validation_errors(run: Path) -> np.ndarray:
    """Those that were recorded, at the dumps."""
    values = open_run(run).scalars()["validation_error"]
    return values[~np.isnan(values)]


def dumps_of(run: Path) -> dict[str, bytes]:
    """The files of all dumps: scalars are written once an import, so how they are divided depends on it."""
    return {path: data for path, data in log(run).items() if "/scalars/" not in path}


def test_checkpoints_of_twenty_epochs_give_the_measures_and_predictions_that_were_recorded_live(
    trained: Path, imported: Path
) -> None:
    ours, theirs = LogReader(Blobs(imported)), LogReader(Blobs(trained / "live"))
    assert len(ours.dumps) == len(theirs.dumps) == EPOCHS + 1
    for dump, other in zip(ours.dumps, theirs.dumps, strict=True):
        assert dump.iteration == other.iteration
        assert set(dump.paths) == set(other.paths) == {"predictions", "layers", "kernels", "filters"}
        found, expected = ours.filters(dump), theirs.filters(other)
        for name in MEASURES:
            if name in UNKNOWN:
                assert np.isnan(found[name]).all()
            else:
                assert found[name].tobytes() == expected[name].tobytes(), (name, dump.iteration)
        samples = len(open_run(imported).samples.labels)
        predictions, known = ours.predictions(dump, samples), theirs.predictions(other, samples)
        for name in ("predicted", "probability", "loss"):
            assert getattr(predictions, name).tobytes() == getattr(known, name).tobytes(), (name, dump.iteration)
        assert ours.kernels(dump).values.tobytes() == theirs.kernels(other).values.tobytes()
        counted, whole = ours.histograms(dump), theirs.histograms(other)
        for mine, true in zip(counted.weight_counts, whole.weight_counts, strict=True):
            assert mine.tolist() == true.tolist()
        assert [len(row) for row in counted.grad_bins] == [0, 0, 0]
    change = open_run(imported).layer_stats("", "change")
    assert np.isnan(change[0])
    assert (change[1:] > 0).all()
    assert open_run(imported).validation_error()[-1] < 0.1 < open_run(imported).validation_error()[0]


def test_every_view_has_what_it_shows_as_if_it_had_been_recorded(trained: Path, imported: Path) -> None:
    run, live = open_run(imported), open_run(trained / "live")
    assert run.network().source == live.network().source == "a forward pass that was followed"
    assert run.network().layers == live.network().layers
    assert [layer.kind for layer in run.network().layers] == ["conv2d", "conv_transpose2d", "linear"]
    assert run.network().graph == live.network().graph
    assert run.samples.has_pictures
    assert run.samples.labels.tolist() == live.samples.labels.tolist()
    assert run.picture(7) == live.picture(7)
    np.testing.assert_array_equal(run.error_rates(), live.error_rates())
    np.testing.assert_array_equal(run.anomaly_counts(), live.anomaly_counts())
    np.testing.assert_array_equal(run.scalars()["validation_error"], validation_errors(trained / "live"))
    assert run.class_names == tuple("0123456789")
    assert run.info.config["imported_with"] == {"model": MODEL, "validation": str(trained / "digits.npz")}
    assert (run.state, run.warnings, run.check()) == ("finished", [], [])


def test_more_processes_and_a_second_import_write_the_same_bytes(trained: Path, imported: Path, tmp_path: Path) -> None:
    files = sorted((trained / "checkpoints").iterdir(), key=lambda path: int(path.stem.split("-")[1]))
    more = {"model": MODEL, "validation": digits(trained)}
    assert import_checkpoints(files[:9], tmp_path / "run", **more).dumps_written == 9
    report = import_checkpoints(files, tmp_path / "run", processes=2, **more)
    assert (report.dumps_written, report.dumps_kept) == (12, 9)
    assert dumps_of(tmp_path / "run") == dumps_of(imported)
    ours, theirs = open_run(tmp_path / "run").scalars(), open_run(imported).scalars()
    assert ours["iteration"].tolist() == theirs["iteration"].tolist() == open_run(imported).iterations.tolist()
    np.testing.assert_array_equal(ours["validation_error"], theirs["validation_error"])
    damaged = tmp_path / "run" / "log" / "predictions" / f"{open_run(imported).iterations[4]:012d}.arrow"
    damaged.write_bytes(b"")
    assert import_checkpoints(files, tmp_path / "run", **more).dumps_written == 1
    assert dumps_of(tmp_path / "run") == dumps_of(imported)
    with pytest.raises(SnapshotError, match=r"must go on as it was begun.*now it is no model"):
        import_checkpoints(files, tmp_path / "run")


@pytest.mark.parametrize("kind", ["lightning", "hugging face", "compiled"])
def test_what_frameworks_save_is_known_by_its_layout(trained: Path, imported: Path, tmp_path: Path, kind: str) -> None:
    for path in sorted((trained / "checkpoints").iterdir())[:3]:
        content = torch.load(path, weights_only=True)
        state, step = content["model_state_dict"], content["global_step"]
        if kind == "lightning":
            state = {f"model.{key}": value for key, value in state.items()} | {"criterion.weight": torch.ones(10)}
            torch.save({"state_dict": state, "global_step": step, "epoch": 1}, tmp_path / f"epoch={step}.ckpt")
        elif kind == "compiled":
            state = {f"module._orig_mod.{key}": value for key, value in state.items()}
            torch.save({"model": state, "iteration": step}, tmp_path / f"{step}.pth")
        else:
            folder = tmp_path / f"checkpoint-{step}"
            folder.mkdir()
            names = {key: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, key in enumerate(state)}
            for name in set(names.values()):
                save_file({key: state[key] for key in state if names[key] == name}, folder / name)
            (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
            (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
            torch.save({"state": [1]}, folder / "optimizer.pt")
            save_file(state, tmp_path / "model.safetensors")  # as the Trainer leaves the last one beside them
    report = import_checkpoints(tmp_path, tmp_path / "run", model=MODEL, validation=digits(trained))
    assert (report.dumps_written, report.left_out) == (3, ())
    ours, theirs = open_run(tmp_path / "run"), open_run(imported)
    places = np.searchsorted(theirs.iterations, ours.iterations)
    np.testing.assert_array_equal(ours.filter_stats("head", "l2"), theirs.filter_stats("head", "l2")[:, places])
    np.testing.assert_array_equal(ours.validation_error(), theirs.validation_error()[places])


def test_without_validation_data_the_network_still_tells_kinds_and_filters(trained: Path, tmp_path: Path) -> None:
    file = trained / "checkpoints" / "epoch-3.pt"
    import_checkpoints(file, tmp_path / "run", model=MODEL)
    run = open_run(tmp_path / "run")
    assert [(layer.name, layer.filters) for layer in run.network().layers] == [("head", 10), ("up", 8), ("begin", 6)]
    assert run.samples is None
    assert run.iterations.tolist() == [30]


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        (
            "of_another_kind",
            r"In the file there is no 0\.weight, 0\.bias, 2\.weight, 2\.bias\. In the model there is no h",
        ),
        ("of_other_classes", r"There 'head\.weight' is 10 x 512, in the model 11 x 512"),
        ("no_module", r"must return a torch\.nn\.Module\. It returned a int"),
    ],
)
def test_a_function_that_makes_another_network_is_refused_before_anything_is_written(
    trained: Path, tmp_path: Path, factory: str, says: str
) -> None:
    with pytest.raises(SnapshotError, match=says):
        import_checkpoints(trained / "checkpoints", tmp_path / "run", model=f"{__name__}:{factory}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("nowhere_at_all:make", "There is no nowhere_at_all"),
        (f"{__name__}:nothing", "has no 'nothing'"),
        ("small_network", "must be named package.module:function"),
        (f"{__name__}:EPOCHS", "must be a function"),
    ],
)
def test_a_name_that_leads_to_no_function_says_so(trained: Path, tmp_path: Path, model: str, says: str) -> None:
    with pytest.raises(NamedObjectError, match=says):
        import_checkpoints(trained / "checkpoints", tmp_path / "run", model=model)


def test_validation_data_without_a_fixed_order_are_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must come in the same order"):
        import_checkpoints(
            trained / "checkpoints", tmp_path / "run", model=MODEL, validation=ValidationSpec(f"{__name__}:shuffled")
        )
    with pytest.raises(DatasetError, match="none of these, and is not there"):
        import_checkpoints(
            trained / "checkpoints", tmp_path / "run", model=MODEL, validation=ValidationSpec("nothing.npz")
        )
    with pytest.raises(ValueError, match="validation needs the network"):
        import_checkpoints(trained / "checkpoints", tmp_path / "run", validation=digits(trained))


def test_a_class_in_a_file_is_named_and_made_only_if_it_is_allowed(tmp_path: Path) -> None:
    for step in (1, 2):
        content = {"state_dict": {"fc.weight": torch.ones(3, 2)}, "args": argparse.Namespace(lr=0.1)}
        torch.save(content, tmp_path / f"step-{step}.ckpt")
    with pytest.raises(SnapshotError, match=r"Namespace\. .*if you trust the file, --allow argparse\.Namespace"):
        import_checkpoints(tmp_path, tmp_path / "run")
    assert import_checkpoints(tmp_path, tmp_path / "run", allow=["argparse.Namespace"]).dumps_written == 2
    with pytest.raises(NamedObjectError, match=r"There is no nowhere"):
        import_checkpoints(tmp_path, tmp_path / "run", allow=["nowhere.Namespace"])
