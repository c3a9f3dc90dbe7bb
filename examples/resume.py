"""A training loop that may be killed at any time and goes on where its last checkpoint was.

    python examples/resume.py            # run it, kill it, run it again
    deeptracker serve runs/

The recorder is told the iteration of the checkpoint; what was recorded after it stays on disk and is no longer shown.
"""

from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn

import deeptracker

RUN, CHECKPOINT = Path("runs/resumed"), Path("runs/resumed-checkpoint.pt")
ITERATIONS, CHECKPOINT_EVERY, BATCH = 300, 100, 64

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
labels = torch.tensor(digits.target)
train, held_out = slice(0, 1200), slice(1200, None)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Flatten(),
    nn.Linear(16 * 64, 10),
)  # fmt: skip
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

start = None
if CHECKPOINT.exists():
    state = torch.load(CHECKPOINT, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    start = state["iteration"]

with deeptracker.Recorder(
    RUN, model, optimizer, validation=(images[held_out], labels[held_out]), every=10, resume=start
) as recorder:
    while recorder.iteration < ITERATIONS:
        batch = torch.randint(0, 1200, (BATCH,))
        scores = model(images[train][batch])
        loss = nn.functional.cross_entropy(scores, labels[train][batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        error = (scores.argmax(1) != labels[train][batch]).float().mean()
        recorder.log(loss=loss, train_error=error)
        if recorder.iteration % CHECKPOINT_EVERY == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "iteration": recorder.iteration}
            torch.save(state, CHECKPOINT)
