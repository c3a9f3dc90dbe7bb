"""Do weights of any framework become the same layers and rows?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from deeptracker.record.array_layers import ArrayLayer, array_layers, on_host


@pytest.mark.parametrize("layout", ["...io", "hwio", "yxio"])
def test_a_kernel_with_filters_last_has_the_rows_of_the_one_with_filters_first(layout: str) -> None:
    first = np.random.default_rng(0).normal(size=(5, 4, 3, 2)).astype(np.float32)
    of_first = ArrayLayer.of("conv", first.shape, "oi...")
    of_last = ArrayLayer.of("conv", (3, 2, 4, 5), layout)
    assert of_first.layer == of_last.layer
    assert of_first.layer.shape == (5, 4, 3, 2)
    np.testing.assert_array_equal(of_last.rows(first.transpose(2, 3, 1, 0)), first.reshape(5, -1))


@pytest.mark.parametrize(
    ("shape", "layout", "turned", "kind"),
    [
        ((7, 3), "io", (3, 7), "linear"),
        ((7, 3), "oi", (7, 3), "linear"),
        ((5, 4, 6), "...io", (6, 4, 5), "conv1d"),
        ((2, 3, 4, 5, 6), "...io", (6, 5, 2, 3, 4), "conv3d"),
        ((3, 3, 8, 2), "...oo", (16, 1, 3, 3), "conv2d"),
        ((3, 3, 8, 2), "...oi", (8, 2, 3, 3), "conv2d"),
        ((32, 4, 8), "ioo", (32, 32), "linear"),
        ((4, 8, 32), "iio", (32, 32), "linear"),
    ],
)
def test_letters_say_what_dimensions_are(
    shape: tuple[int, ...], layout: str, turned: tuple[int, ...], kind: str
) -> None:
    layer = ArrayLayer.of("layer", shape, layout).layer
    assert (layer.shape, layer.kind) == (turned, kind)
    assert layer.filters * layer.fan_in == np.prod(shape)


def test_units_of_several_dimensions_are_joined_in_their_order() -> None:
    kernel = np.arange(3 * 2 * 4).reshape(3, 2, 4)
    rows = ArrayLayer.of("query", kernel.shape, "ioo").rows(kernel)
    np.testing.assert_array_equal(rows[5], kernel[:, 1, 1])


@pytest.mark.parametrize("layout", ["oi", "hwi", "...io...", "hwiox", ""])
def test_a_layout_that_does_not_fit_is_refused(layout: str) -> None:
    with pytest.raises(ValueError, match="must have a letter for each of its dimensions"):
        ArrayLayer.of("conv", (3, 3, 4, 5), layout)


def test_rows_are_a_copy_in_the_weights_own_precision() -> None:
    weight = np.ones((2, 3))
    rows = ArrayLayer.of("a", (2, 3), "oi").rows(weight)
    weight[:] = 0
    assert rows.dtype == np.float64
    assert rows.sum() == 6
    assert ArrayLayer.of("a", (2, 3), "oi").rows(weight.astype(np.float16)).dtype == np.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_a_tensor_that_wants_gradients_is_an_array_too(dtype: torch.dtype) -> None:
    tensor = torch.tensor([[1.5, -2.0]], dtype=dtype, requires_grad=True)
    assert on_host(tensor).tolist() == [[1.5, -2.0]]


def test_what_only_speaks_dlpack_is_an_array_too() -> None:
    class Only:
        def __init__(self, array: Any) -> None:
            self.__dlpack__, self.__dlpack_device__ = array.__dlpack__, array.__dlpack_device__

    assert on_host(Only(np.arange(3.0))).tolist() == [0, 1, 2]


def test_an_array_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"layer 'a' must have shape \(2, 3\). Got \(3, 2\)"):
        ArrayLayer.of("a", (2, 3), "oi").rows(np.ones((3, 2)))


def test_layers_follow_each_other_and_must_all_have_a_layout() -> None:
    weights = {"a": np.ones((3, 3, 1, 4)), "b": (36, 10)}
    layers = array_layers(weights, "...io", {"b": "embedding"})
    assert [(one.layer.offset, one.layer.kind) for one in layers] == [(0, "conv2d"), (4, "embedding")]
    with pytest.raises(ValueError, match="Got none for b"):
        array_layers(weights, {"a": "...io"}, {})
    with pytest.raises(ValueError, match="must have an array for each layer"):
        array_layers({}, "...io", {})
