"""Does one callback record a training of Keras on any backend, and does the training not notice?

Keras has one backend in a process: here PyTorch, and all of this file once more in a process for each of the others.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deeptracker
from deeptracker.record.keras_layers import layers_of
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader
from deeptracker.store.samples import read_samples

BACKEND = os.environ.setdefault("KERAS_BACKEND", "torch")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'deeptracker[keras]'")

# Keras and its backends warn of what is no concern of ours; our own warnings stay errors.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::deeptracker.record.trouble.RecorderWarning"),
]

CLASSES, BATCH, HELD_OUT = 3, 8, 21
_RANDOM = np.random.default_rng(0)
X, Y = _RANDOM.normal(size=(48, 8, 8, 2)).astype(np.float32), np.arange(48) % CLASSES
VALIDATION = _RANDOM.normal(size=(HELD_OUT, 8, 8, 2)).astype(np.float32), np.arange(HELD_OUT)[::-1] % CLASSES


def make(**compiled: Any) -> Any:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(6, 3, activation="relu", name="conv"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise"),
            layers.Conv2DTranspose(4, 2, name="up"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(CLASSES, name="head"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9, **compiled.pop("optimizer", {}))
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), **compiled)
    return model


def fit(model: Any, *callbacks: Any, epochs: int = 2, **options: Any) -> None:
    model.fit(X, Y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=list(callbacks), **options)


def recorded(run: Path, every: Any = 3, **options: Any) -> Any:
    return deeptracker.KerasCallback(run, validation=VALIDATION, every=every, strict=True, **options)


def check_run(run: Path, iterations: list[int]) -> LogReader:
    """The run is whole; a prediction of every sample, of gradients nothing."""
    reader = LogReader(Blobs(run))
    assert [dump.iteration for dump in reader.dumps] == iterations
    assert len(read_samples(Blobs(run)).labels) == HELD_OUT  # type: ignore[union-attr]
    for dump in reader.dumps:
        assert sorted(dump.paths) == ["filters", "kernels", "layers", "predictions"]
        assert (reader.predictions(dump, HELD_OUT).predicted >= 0).all()
        assert np.isfinite(reader.filters(dump)["l2"]).all()
        assert np.isnan(reader.filters(dump)["grad_l2"]).all()
    for dump in reader.dumps[1:]:
        assert np.isfinite(reader.filters(dump)["change"]).all()
    assert reader.check() == []
    assert reader.info.lost == ()
    return reader


def test_training_is_bit_identical_with_and_without_the_callback(tmp_path: Path) -> None:
    left = []
    for callbacks in ([], [recorded(tmp_path / "run")]):
        model = make(metrics=["accuracy"])
        fit(model, *callbacks)
        left.append([np.array(keras.ops.convert_to_numpy(x)) for x in (*model.variables, *model.optimizer.variables)])
    assert len(left[0]) == len(left[1]) > 10
    for a, b in zip(*left, strict=True):
        assert a.tobytes() == b.tobytes()
    reader = check_run(tmp_path / "run", [0, 3, 6, 9, 12])
    scalars = reader.scalars()
    assert scalars["iteration"].tolist() == list(range(13))
    assert np.isfinite(scalars["loss"][1:]).all()
    assert np.isfinite(scalars["accuracy"][1:]).all()
    np.testing.assert_allclose(scalars["lr"][::3], 0.05)
    assert reader.info.state == "finished"
    for dump in reader.dumps[1:]:
        assert (reader.filters(dump)["update_ratio"] > 0).all()


def test_a_rule_that_holds_stops_the_fit(tmp_path: Path) -> None:
    spoiled = X.copy()
    spoiled[::2] = np.nan
    make().fit(
        spoiled, Y, batch_size=BATCH, epochs=2, verbose=0, callbacks=[recorded(tmp_path / "run", 100, stop_on="nan")]
    )
    reader = LogReader(Blobs(tmp_path / "run"))
    assert reader.info.stopped == "at iteration 1: The loss is NaN or infinite at iteration 1."
    assert (reader.info.state, reader.scalars()["iteration"].tolist()[-1]) == ("finished", 1)


def test_measures_and_predictions_are_those_of_the_model(tmp_path: Path) -> None:
    model = make()
    fit(model, recorded(tmp_path / "run"))
    reader = LogReader(Blobs(tmp_path / "run"))
    measures, kernels = reader.filters(reader.dumps[-1]), reader.kernels(reader.dumps[-1])
    found = [np.array(keras.ops.convert_to_numpy(weight)) for weight, _, _ in layers_of(model).values()]
    conv, depthwise, up, head = found
    rows = [
        conv.transpose(3, 2, 0, 1).reshape(6, -1),
        depthwise.transpose(2, 3, 0, 1).reshape(12, -1),
        up.transpose(2, 3, 0, 1).reshape(4, -1),
        head.T,
    ]
    np.testing.assert_allclose(measures["l2"], np.concatenate([np.linalg.norm(x, axis=1) for x in rows]), rtol=1e-6)
    assert kernels is not None
    np.testing.assert_array_equal(kernels.values, conv.transpose(3, 2, 0, 1))
    assert reader.network is not None
    assert [(x.name, x.kind, x.shape) for x in reader.network.layers] == [
        ("conv", "conv2d", (6, 2, 3, 3)),
        ("depthwise", "conv2d", (12, 1, 3, 3)),
        ("up", "conv_transpose2d", (4, 12, 2, 2)),
        ("head", "linear", (3, 100)),
    ]
    logits = np.concatenate([model.predict_on_batch(VALIDATION[0][i : i + 7]) for i in (0, 7, 14)])
    order = np.argsort(VALIDATION[1], kind="stable")
    predicted = reader.predictions(reader.dumps[-1], HELD_OUT)
    np.testing.assert_array_equal(predicted.predicted, logits.argmax(1)[order])


def test_layers_of_attention_and_embeddings_are_laid_out_as_their_equations_say() -> None:
    tokens = keras.Input((5,))
    x = keras.layers.Embedding(11, 8, name="embedding")(tokens)
    x = keras.layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = keras.layers.SeparableConv1D(6, 3, name="separable")(x)
    x = keras.layers.LSTM(3, name="lstm")(x)
    found = layers_of(keras.Model(tokens, x))
    assert {name: (tuple(weight.shape), layout, kind) for name, (weight, layout, kind) in found.items()} == {
        "embedding": ((11, 8), "oi", "embedding"),
        "attention.query": ((8, 2, 4), "ioo", "linear"),
        "attention.key": ((8, 2, 4), "ioo", "linear"),
        "attention.value": ((8, 2, 4), "ioo", "linear"),
        "attention.attention_output": ((2, 4, 8), "iio", "linear"),
        "separable.depthwise_kernel": ((3, 8, 1), "...oo", None),
        "separable.pointwise_kernel": ((1, 8, 6), "...io", None),
        "lstm.lstm_cell": ((6, 12), "...io", None),
        "lstm.lstm_cell.recurrent_kernel": ((3, 12), "...io", None),
    }


@pytest.mark.parametrize(
    ("compiled", "iterations", "every"),
    [
        ({"optimizer": {"gradient_accumulation_steps": 2}}, [0, 3, 6], 3),
        pytest.param(
            {"steps_per_execution": 2},
            [0, 4, 6, 10, 12],
            3,
            marks=pytest.mark.skipif(BACKEND == "torch", reason="Keras has no steps_per_execution with PyTorch"),
        ),
    ],
    ids=["accumulated", "several at once"],
)
def test_a_step_is_an_iteration(tmp_path: Path, compiled: dict[str, Any], iterations: list[int], every: int) -> None:
    fit(make(**compiled), recorded(tmp_path / "run", every))
    check_run(tmp_path / "run", iterations)


def test_seven_dumps_an_epoch_unless_told(tmp_path: Path) -> None:
    fit(make(), recorded(tmp_path / "run", every="7/epoch"))
    assert check_run(tmp_path / "run", list(range(13))).info.every == "6 times an epoch of 6 iterations"


def test_a_model_that_is_restored_goes_on_in_the_same_run(tmp_path: Path) -> None:
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)) == 11:
                raise ConnectionAbortedError("taken away")

    def train(*more: Any) -> None:
        # Ours comes first: the model is restored after it has heard that training begins.
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)
        fit(make(), recorded(tmp_path / "run"), backup, *more, epochs=3)

    with pytest.raises(ConnectionAbortedError):
        train(Stop())
    train()
    reader = check_run(tmp_path / "run", [0, 3, 6, 9, 12, 15, 18])
    assert [branch.start for branch in reader.info.branches] == [0, 6]
    assert reader.info.state == "finished"
    assert reader.scalars()["iteration"].tolist() == list(range(19))


def test_a_further_fit_goes_on_in_the_same_run(tmp_path: Path) -> None:
    model, callback = make(), recorded(tmp_path / "run")
    fit(model, callback, epochs=1)
    fit(model, callback, epochs=1)
    assert [branch.start for branch in check_run(tmp_path / "run", [0, 3, 6, 9, 12]).info.branches] == [0, 6]


def test_a_training_that_begins_anew_ends_the_one_before_it_as_failed(tmp_path: Path) -> None:
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise ConnectionAbortedError("taken away")

    callback = recorded(tmp_path / "run")
    with pytest.raises(ConnectionAbortedError):
        fit(make(), callback, Stop())
    with pytest.raises(FileExistsError):
        fit(make(), callback)
    info = LogReader(Blobs(tmp_path / "run")).info
    assert (info.state, info.exception) == ("failed", "InterruptedError: training began anew")


def test_what_cannot_be_evaluated_is_a_warning_at_the_users_line(tmp_path: Path) -> None:
    wrong = VALIDATION[0][:, :5], VALIDATION[1]
    model, callback = make(), deeptracker.KerasCallback(tmp_path / "run", validation=wrong, every=6)
    with pytest.warns(deeptracker.RecorderWarning, match="could not record predictions") as caught:
        fit(model, callback)
    assert {warning.filename for warning in caught if warning.category is deeptracker.RecorderWarning} == {__file__}
    reader = LogReader(Blobs(tmp_path / "run"))
    assert [sorted(dump.paths) for dump in reader.dumps] == [["filters", "kernels", "layers"]] * 3
    assert reader.info.lost[0].startswith("predictions at iterations 0, 6, 12")


def test_wrong_options_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every must be >= 1"):
        deeptracker.KerasCallback(tmp_path / "run", every=0)
    with pytest.raises(TypeError, match="Got preprocess"):
        deeptracker.KerasCallback(tmp_path / "run", preprocess=abs)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="must be arrays"):
        deeptracker.KerasCallback(tmp_path / "run", validation=[(X, Y)])  # type: ignore[arg-type]


@pytest.mark.skipif(BACKEND != "torch", reason="it runs this file for the other backends")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_all_of_this_holds_with_other_backends(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed, so Keras cannot have it as its backend")
    of_any_backend = "not laid_out and not refused and not begins_anew"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", of_any_backend, __file__]
    done = subprocess.run(command, env={**os.environ, "KERAS_BACKEND": backend}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
