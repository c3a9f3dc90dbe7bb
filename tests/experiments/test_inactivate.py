"""Inactivated filters give zero for any input, also behind what normalises them, and all is put back."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deeptracker.experiments.errors import ExperimentError
from deeptracker.experiments.inactivate import Inactivator
from deeptracker.record.network import weighted_layers
from deeptracker.store.experiments import FilterGroup
from tests.record.architectures import ARCHITECTURES
from tests.record.networks import Net, conv

NORMS: dict[str, Callable[[], nn.Module]] = {
    "batch": lambda: nn.BatchNorm2d(6),
    "batch, not affine": lambda: nn.BatchNorm2d(6, affine=False),
    "group": lambda: nn.GroupNorm(2, 6),
    "layer": lambda: nn.LayerNorm([6, 8, 8]),
    "instance": lambda: nn.InstanceNorm2d(6, affine=True),
    "instance, tracked": lambda: nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
}
CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: conv(4, 6),
    "grouped": lambda: conv(4, 6, groups=2),
    "transposed": lambda: nn.ConvTranspose2d(4, 6, 3, padding=1),
    "transposed, grouped": lambda: nn.ConvTranspose2d(4, 6, 3, padding=1, groups=2),
    "of directions and lengths": lambda: nn.utils.parametrizations.weight_norm(conv(4, 6)),
    "spectral": lambda: nn.utils.parametrizations.spectral_norm(conv(4, 6)),
}
CHOSEN = (1, 4)


def unsettled(model: nn.Module) -> nn.Module:
    """With normalisations as after a training."""
    torch.manual_seed(1)
    for module in model.modules():
        for name in ("weight", "bias", "running_mean"):
            tensor = getattr(module, name, None)
            if "Norm" in type(module).__name__ and isinstance(tensor, Tensor):
                nn.init.normal_(tensor)
    return model.eval()


def state_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_filters_are_zero_behind_their_normalisation_for_any_input_and_others_are_not(
    convolution: str, norm: str
) -> None:
    torch.manual_seed(0)
    first, second = CONVOLUTIONS[convolution](), NORMS[norm]()
    model = unsettled(nn.Sequential(conv(3, 4), nn.ReLU(), first, second, nn.Flatten(), nn.Linear(384, 2)))
    before = state_of(model)
    layers = weighted_layers(model)
    inactivator = Inactivator(model, layers, (torch.rand(2, 3, 8, 8),))
    with inactivator.inactivated([FilterGroup("2", CHOSEN)]) as notes, torch.no_grad():
        behind = model[:4](10 * torch.randn(5, 3, 8, 8))
        assert notes == ()
    largest = behind.abs().amax((0, 2, 3))
    assert {i for i, value in enumerate(largest.tolist()) if value == 0} == set(CHOSEN)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_where_the_normalisation_comes_after_an_activation_or_a_concatenation_it_is_found() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = torch.cat([self.left(x), self.right(x)], 1).relu()
        self.seen = self.norm(x)
        return self.head(self.seen.permute(0, 2, 3, 1).mean((1, 2)))

    model = unsettled(Net(forward, left=conv(3, 4), right=conv(3, 5), norm=nn.BatchNorm2d(9), head=nn.Linear(9, 2)))
    x = torch.randn(2, 3, 8, 8)
    with Inactivator(model, weighted_layers(model), (x,)).inactivated([FilterGroup("right", (2,))]), torch.no_grad():
        model(torch.randn(4, 3, 8, 8))
        largest = model.seen.abs().amax((0, 2, 3)).tolist()
    assert [i for i, value in enumerate(largest) if value == 0] == [4 + 2]


def test_a_channel_that_a_sum_shares_with_others_is_left_to_them() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.norm(self.one(x) + self.two(x)).mean((2, 3))

    model = unsettled(Net(forward, one=conv(3, 4), two=conv(3, 4), norm=nn.BatchNorm2d(4)))
    scale = model.norm.weight.detach().clone()
    with Inactivator(model, weighted_layers(model), (torch.randn(2, 3, 8, 8),)).inactivated([FilterGroup("one", (2,))]):
        assert not model.one.weight[2].any()
        assert torch.equal(model.norm.weight, scale)


def test_what_comes_through_another_layer_is_that_layers() -> None:
    depthwise = conv(4, 4, groups=4, bias=False)
    model = unsettled(nn.Sequential(conv(3, 4), nn.BatchNorm2d(4), depthwise, nn.BatchNorm2d(4), nn.Flatten()))
    shift = model[3].bias.detach().clone()
    inactivator = Inactivator(model, weighted_layers(model), (torch.randn(2, 3, 8, 8),))
    with inactivator.inactivated([FilterGroup("0", (2,))]):
        assert model[1].bias[2] == 0
        assert torch.equal(model[3].bias, shift)


def test_a_weight_that_several_modules_share_is_zero_in_all_with_their_biases() -> None:
    one, two = nn.Linear(5, 5), nn.Linear(5, 5)
    two.weight = one.weight
    model = nn.Sequential(one, nn.Tanh(), two)
    with Inactivator(model, weighted_layers(model), (torch.rand(3, 5),)).inactivated([FilterGroup("0", (3,))]):
        assert not model(torch.randn(4, 5))[:, 3].any()
        assert not one(torch.randn(4, 5))[:, 3].any()


def test_a_group_normalisation_without_a_shift_is_told() -> None:
    model = nn.Sequential(conv(3, 4), nn.GroupNorm(2, 4, affine=False), nn.Flatten(), nn.Linear(256, 2))
    inactivator = Inactivator(model, weighted_layers(model), (torch.rand(2, 3, 8, 8),))
    with inactivator.inactivated([FilterGroup("0", (0, 3))]) as notes:
        (note,) = notes
    assert note.startswith("2 of the 2 channels are given values again by a group normalisation")


def test_weights_that_are_divided_by_their_own_size_are_refused() -> None:
    architecture = ARCHITECTURES["standardised weights"]
    model = architecture.make()
    before = state_of(model)
    inactivator = Inactivator(model, weighted_layers(model), (architecture.input(),))
    with (
        pytest.raises(ExperimentError, match="divided by their own size"),
        inactivator.inactivated([FilterGroup("0", (0,))]),
    ):
        pass
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "standardised weights"])
def test_of_every_network_any_layer_can_lose_a_filter_and_gets_it_back(name: str) -> None:
    torch.manual_seed(0)
    model = unsettled(ARCHITECTURES[name].make())
    before = state_of(model)
    layers = weighted_layers(model)
    inactivator = Inactivator(model, layers, (ARCHITECTURES[name].input(),))
    for layer in layers:
        with inactivator.inactivated([FilterGroup(layer.layer.name, (0,))]):
            assert any(not torch.equal(value, before[key]) for key, value in model.state_dict().items())
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
