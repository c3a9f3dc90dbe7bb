"""Does a training of the demo leave a whole, repeatable run, and stop cleanly when a person stops it?"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deeptracker.demo.datasets import load_dataset
from deeptracker.demo.image_data import ImageData
from deeptracker.demo.training import TrainingProgress, train
from deeptracker.errors import RunExistsError
from deeptracker.record.graph import FOLLOWED
from deeptracker.schema import Network
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.samples import Pictures, Samples, read_samples

CIFAR100 = os.environ.get("DEEPTRACKER_CIFAR100_NPZ", "")


def cut(data: ImageData, *, train_images: int, test_images: int) -> ImageData:
    return replace(
        data,
        x_train=data.x_train[:train_images],
        y_train=data.y_train[:train_images],
        x_test=data.x_test[:test_images],
        y_test=data.y_test[:test_images],
    )


@pytest.fixture(scope="module")
def data() -> ImageData:
    return cut(load_dataset("digits"), train_images=256, test_images=40)


@pytest.fixture(scope="module")
def colour() -> ImageData:
    """Two classes, one bright and one dark, large enough to be augmented."""
    generator = np.random.default_rng(0)
    y = np.arange(64, dtype=np.int64) % 2
    x = (generator.integers(0, 100, (64, 24, 24, 3)) + 150 * y[:, None, None, None]).astype(np.uint8)
    return ImageData("bright and dark", x, y, x[:20], y[:20], ("dark", "bright"))


def stripes(*, side: int, images: int) -> ImageData:
    """Two classes in colour, stripes that lie and stripes that stand, under noise."""
    generator = np.random.default_rng(0)
    y = np.arange(images, dtype=np.int64) % 2
    lying = 120 * ((np.arange(side) // 4) % 2)[:, None, None]
    pattern = np.where(y[:, None, None, None] == 0, lying, lying.transpose(1, 0, 2))
    x = (generator.integers(0, 100, (images, side, side, 3)) + pattern).astype(np.uint8)
    return ImageData("stripes", x, y, x[:20], y[:20], ("lying", "standing"))


def read(run: Path) -> tuple[LogReader, Network, Samples]:
    log, samples = LogReader(Blobs(run)), read_samples(Blobs(run))
    assert log.check() == []
    assert log.network is not None
    assert samples is not None
    return log, log.network, samples


def test_a_training_leaves_a_readable_run(data: ImageData, tmp_path: Path) -> None:
    told: list[TrainingProgress] = []
    last = train(data, tmp_path, epochs=3, dumps=6, on_progress=told.append)
    log, network, samples = read(tmp_path)
    assert [progress.iteration for progress in told] == list(range(1, 25))
    assert told[-1] == last
    assert (last.iteration, last.iterations, last.epoch, last.epochs) == (24, 24, 3, 3)
    assert [dump.iteration for dump in log.dumps] == [0, 4, 8, 12, 16, 20, 24]
    assert log.info.state == "finished"
    assert log.info.name == "resnet8 on digits"
    assert log.info.class_names == data.class_names
    assert log.info.config["model"] == "resnet8"
    assert [layer.name for layer in network.layers][:2] == ["conv1", "layer1.0.conv1"]
    np.testing.assert_array_equal(samples.labels, np.sort(data.y_test))


def test_loss_error_and_the_two_drops_of_the_learning_rate_are_logged(data: ImageData, tmp_path: Path) -> None:
    told: list[TrainingProgress] = []
    train(data, tmp_path, epochs=4, dumps=2, on_progress=told.append)
    scalars = read(tmp_path)[0].scalars()
    steps = scalars["iteration"] >= 1
    np.testing.assert_array_equal(scalars["iteration"][steps], np.arange(1, 33))
    np.testing.assert_allclose(scalars["loss"][steps], [progress.loss for progress in told])
    np.testing.assert_allclose(scalars["train_error"][steps], [progress.train_error for progress in told])
    rates = scalars["lr"][steps]
    np.testing.assert_array_equal(scalars["iteration"][steps][1:][np.diff(rates) < 0], [17, 25])
    assert (np.diff(rates) <= 0).all()


def test_the_network_learns(colour: ImageData, tmp_path: Path) -> None:
    train(colour, tmp_path, epochs=8, dumps=1)
    log, _, samples = read(tmp_path)
    predicted = log.predictions(log.dumps[-1], len(samples.labels)).predicted
    assert (predicted != samples.labels).mean() <= 0.1


@pytest.mark.parametrize("model", ["resnet", "vgg", "inception", "densenet", "mobilenet"])
def test_every_network_learns_digits_and_is_recorded_whole(data: ImageData, tmp_path: Path, model: str) -> None:
    losses: list[float] = []
    train(data, tmp_path, model=model, epochs=8, dumps=2, on_progress=lambda at: losses.append(at.loss))
    assert np.mean(losses[-8:]) < 0.5 * np.mean(losses[:8])
    log, network, _ = read(tmp_path)
    assert (log.info.lost, network.source) == ((), FOLLOWED)


@pytest.mark.parametrize("model", ["resnet", "vgg", "inception", "densenet", "mobilenet"])
def test_every_network_learns_images_in_colour(tmp_path: Path, model: str) -> None:
    losses: list[float] = []
    striped = stripes(side=32, images=64)
    train(striped, tmp_path, model=model, epochs=8, dumps=1, on_progress=lambda at: losses.append(at.loss))
    assert np.mean(losses[-4:]) < 0.5 * np.mean(losses[:2])


def test_pictures_are_the_images_and_not_the_normalised_ones(colour: ImageData, tmp_path: Path) -> None:
    import io

    from PIL import Image

    train(colour, tmp_path, epochs=1, dumps=1)
    pictures = Pictures(Blobs(tmp_path))
    by_class = colour.x_test[np.argsort(colour.y_test, kind="stable")]
    for sample in (0, 19):
        shown = np.asarray(Image.open(io.BytesIO(pictures.get(sample))))
        assert np.abs(shown.astype(int) - by_class[sample].astype(int)).max() <= 1


@pytest.mark.parametrize("model", ["resnet8", "convnet"])
def test_a_seed_records_the_same_run_and_another_seed_does_not(colour: ImageData, tmp_path: Path, model: str) -> None:
    runs = {}
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        train(colour, tmp_path / name, model=model, epochs=2, dumps=4, seed=seed)
        log = read(tmp_path / name)[0]
        sums = np.stack([log.filters(dump)["sum"] for dump in log.dumps])
        runs[name] = np.append(sums, log.scalars()["loss"])
    np.testing.assert_array_equal(runs["first"], runs["again"])
    assert not np.array_equal(runs["first"], runs["other"])


def test_a_given_learning_rate_is_trained_with_and_told(data: ImageData, tmp_path: Path) -> None:
    train(data, tmp_path, model="convnet", epochs=4, dumps=2, learning_rate=0.02)
    log = read(tmp_path)[0]
    assert log.info.config["learning_rate"] == 0.02
    rates = log.scalars()["lr"]
    np.testing.assert_allclose(np.unique(rates[np.isfinite(rates)]), [0.0018, 0.006, 0.02])


def test_a_training_that_diverges_is_recorded_to_its_end(data: ImageData, tmp_path: Path) -> None:
    last = train(data, tmp_path, model="vgg", epochs=3, dumps=6, learning_rate=1e30)
    log, _, samples = read(tmp_path)
    assert math.isnan(last.loss)
    assert last.iteration == last.iterations == 24
    assert [dump.iteration for dump in log.dumps] == [0, 4, 8, 12, 16, 20, 24]
    assert (log.info.state, log.info.lost) == ("finished", ())
    assert log.filters(log.dumps[-1])["nonfinite"].max() > 0
    assert len(log.predictions(log.dumps[-1], len(samples.labels)).predicted) == 40
    assert np.isnan(log.scalars()["loss"][-1])


def test_a_training_that_a_person_stops_leaves_what_was_recorded(data: ImageData, tmp_path: Path) -> None:
    def stop(progress: TrainingProgress) -> None:
        if progress.iteration == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path, epochs=3, dumps=6, on_progress=stop)
    log, _, samples = read(tmp_path)
    assert [dump.iteration for dump in log.dumps] == [0, 4, 8]
    assert log.info.state == "failed"
    assert len(log.predictions(log.dumps[-1], len(samples.labels)).predicted) == 40
    assert log.scalars()["iteration"].max() == 10


def test_a_place_with_a_run_is_refused(data: ImageData, tmp_path: Path) -> None:
    train(data, tmp_path, epochs=1, dumps=1)
    with pytest.raises(RunExistsError):
        train(data, tmp_path, epochs=1, dumps=1)


def test_more_dumps_than_iterations_are_one_each(data: ImageData, tmp_path: Path) -> None:
    train(data, tmp_path, epochs=1, dumps=500)
    assert len(read(tmp_path)[0].dumps) == 1 + 8


@pytest.mark.slow
@pytest.mark.skipif(not CIFAR100, reason="DEEPTRACKER_CIFAR100_NPZ names no .npz of CIFAR-100")
def test_a_hundred_classes_of_real_images_are_recorded(tmp_path: Path) -> None:
    whole = load_dataset(CIFAR100)
    assert whole.classes == 100
    train(cut(whole, train_images=1000, test_images=500), tmp_path, epochs=1, dumps=4)
    log, network, _ = read(tmp_path)
    assert len(log.dumps) >= 5
    assert network.layer("fc").filters == 100
