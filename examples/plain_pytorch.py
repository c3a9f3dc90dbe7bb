"""A plain training loop of PyTorch, recorded by two lines.

python examples/plain_pytorch.py
deeptracker serve runs/
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import deeptracker

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
labels = torch.tensor(digits.target)
train = torch.utils.data.TensorDataset(images[:1200], labels[:1200])
validation = torch.utils.data.TensorDataset(images[1200:], labels[1200:])

torch.manual_seed(0)
loader = torch.utils.data.DataLoader(train, batch_size=64, shuffle=True)
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
    nn.Flatten(), nn.Linear(16 * 64, 10),
)  # fmt: skip
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

with deeptracker.Recorder("runs/pytorch", model, optimizer, validation=validation, every=5) as recorder:
    for epoch in range(4):
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            recorder.log(loss=loss, epoch=epoch)
