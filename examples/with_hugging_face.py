"""A training of Hugging Face's Trainer, recorded by one callback, that goes on where it was stopped.

    python examples/with_hugging_face.py    # stop it, run it again
    deeptracker serve runs/

Checkpoints know the iteration: the training that goes on from one goes on in the same run.
"""

from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch.utils.data import Dataset
from transformers import ResNetConfig, ResNetForImageClassification, Trainer, TrainingArguments, set_seed

import deeptracker

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16


class Digits(Dataset):
    """Some of the digits, as the Trainer takes them."""

    def __init__(self, indices: range) -> None:
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> dict:
        return {"pixel_values": images[self.indices[index]], "labels": int(digits.target[self.indices[index]])}


set_seed(0)
config = ResNetConfig(
    num_channels=1, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=10
)
training, held_out = Digits(range(1200)), Digits(range(1200, len(images)))
trainer = Trainer(
    model=ResNetForImageClassification(config),
    args=TrainingArguments(
        "runs/hugging-face-checkpoints",
        num_train_epochs=4,
        per_device_train_batch_size=64,
        learning_rate=3e-3,
        save_steps=20,
        logging_steps=5,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    ),
    train_dataset=training,
    callbacks=[deeptracker.TransformersCallback("runs/hugging-face", validation=held_out, every=5)],
)
trainer.train(resume_from_checkpoint=bool(list(Path("runs").glob("hugging-face-checkpoints/checkpoint-*"))))
