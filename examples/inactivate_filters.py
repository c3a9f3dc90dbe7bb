"""Filters that a high learning rate has killed do nothing: inactivated, they change no prediction; others do.

python examples/inactivate_filters.py

A small network without normalisation is trained at a rate that is too high at first. Then three commands: what dead
filters do, what as many living ones of the first layer do, and a smaller model without the dead ones.
"""

import sys
from collections import OrderedDict

import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import nn

import deeptracker
from deeptracker.cli import app
from deeptracker.experiments.choice import dead_filters
from deeptracker.store.experiments import FilterGroup, in_words

ITERATIONS, HIGH = 400, 0.25


def make_model() -> nn.Module:
    """What `--model` names."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 32, 3, padding=1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(32, 32, 3, padding=1), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2), flat=nn.Flatten(),
            fc1=nn.Linear(128, 64), relu3=nn.ReLU(), fc2=nn.Linear(64, 10),
        )
    )  # fmt: skip


def data() -> tuple[torch.Tensor, torch.Tensor]:
    digits = load_digits()
    return torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16, torch.tensor(digits.target)


def validation() -> tuple[torch.Tensor, torch.Tensor]:
    """What `--validation` names: every digit that was not trained on."""
    images, labels = data()
    return images[900:], labels[900:]


def train(run: str, weights: str) -> None:
    images, labels = data()
    torch.manual_seed(0)
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=HIGH, momentum=0.9)
    stages = torch.optim.lr_scheduler.MultiStepLR(optimizer, [ITERATIONS // 8, 3 * ITERATIONS // 4], gamma=0.1)
    chance = torch.Generator().manual_seed(1)
    with deeptracker.Recorder(run, model, optimizer, validation=validation(), every=10) as recorder:
        for _ in range(ITERATIONS):
            batch = torch.randint(0, 900, (64,), generator=chance)
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            stages.step()
            recorder.log(loss=loss)
    save_file(model.state_dict(), weights, {"iteration": str(ITERATIONS)})


def ask(*command: str) -> None:
    """Give a command of DeepTracker, in this process: it need not import everything again."""
    print("\n$ deeptracker", *command, flush=True)
    sys.argv = ["deeptracker", *command]
    app(standalone_mode=False)


if __name__ == "__main__":
    run, weights = "runs/inactivated", "runs/inactivated.safetensors"
    train(run, weights)
    model = ["--model", "inactivate_filters:make_model", "--validation", "inactivate_filters:validation"]
    (first,) = (group for group in dead_filters(deeptracker.open_run(run)) if group.layer == "conv1")
    living = sorted(set(range(32)) - set(first.filters))[: len(first.filters)]
    ask("ablate", run, "--dead", *model, "--weights", weights)
    ask("ablate", run, "--filters", in_words([first]), *model, "--weights", weights)
    ask("ablate", run, "--filters", in_words([FilterGroup("conv1", tuple(living))]), *model, "--weights", weights)
    ask("prune", run, "--dead", *model, "--weights", weights, "--to", weights.replace(".", "-smaller."), "--force")
