"""A training of several processes, each of which validates its share.

    torchrun --nproc-per-node 4 examples/distributed.py      # and again, to go on where the last checkpoint was
    deeptracker serve runs/

Every process makes its Recorder at the same place. A `DistributedSampler` tells which validation images a process has;
rank 0 records weights, gradients and scalars as well.
"""

import os
from pathlib import Path

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import deeptracker

RUN, CHECKPOINT = Path("runs/distributed"), Path("runs/distributed-checkpoint.pt")
ITERATIONS, CHECKPOINT_EVERY, BATCH = int(os.environ.get("ITERATIONS", "200")), 50, 32


def main() -> None:
    dist.init_process_group("gloo")
    torch.set_num_threads(1)
    torch.manual_seed(dist.get_rank())

    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(digits.target)
    held_out = TensorDataset(images[1200:], labels[1200:])
    validation = DataLoader(held_out, batch_size=64, sampler=DistributedSampler(held_out, shuffle=False))

    model = DistributedDataParallel(
        nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 64, 10),
        )
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    start = None
    if CHECKPOINT.exists():
        state = torch.load(CHECKPOINT, weights_only=True)
        model.module.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["iteration"]

    with deeptracker.Recorder(RUN, model, optimizer, validation=validation, every=10, resume=start) as recorder:
        while recorder.iteration < ITERATIONS:
            batch = torch.randint(0, 1200, (BATCH,))
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            recorder.log(loss=loss)  # recorded on rank 0
            if recorder.iteration % CHECKPOINT_EVERY == 0 and dist.get_rank() == 0:
                state = {
                    "model": model.module.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "iteration": recorder.iteration,
                }
                torch.save(state, CHECKPOINT)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
