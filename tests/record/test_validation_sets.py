"""An .npz, a folder of images or a function is something to validate on, or the error says what it must be."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deeptracker.errors import DatasetError
from deeptracker.record.pictures import PictureMaker
from deeptracker.record.validation import Inputs, split_batch
from deeptracker.record.validation_sets import ValidationSpec, open_validation

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 10, 3), dtype=np.uint8)
LABELS = np.arange(6) % 3


def batches_of(spec: ValidationSpec) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network is given, and the labels."""
    batches, _ = open_validation(spec)
    inputs = Inputs(torch.nn.Conv2d(3, 1, 1), spec.preprocess)
    parts = [split_batch(batch) for batch in batches]
    return torch.cat([inputs(x) for x, _ in parts]), torch.cat([torch.as_tensor(y) for _, y in parts])


def written_folder(root: Path) -> Path:
    for pixels, label in zip(PIXELS, LABELS, strict=True):
        (root / f"class {label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / f"class {label}" / f"{int(pixels.sum())}.png")
    return root


@pytest.mark.parametrize("layout", ["last", "second", "floats"])
@pytest.mark.parametrize("names", [("x_test", "y_test"), ("x", "y")])
def test_arrays_of_an_npz_reach_the_network_as_the_recorder_would_give_them(
    tmp_path: Path, layout: str, names: tuple[str, str]
) -> None:
    expected = torch.from_numpy(PIXELS).permute(0, 3, 1, 2).float() / 255
    given = {"last": PIXELS, "second": PIXELS.transpose(0, 3, 1, 2), "floats": (PIXELS / 255).astype(np.float64)}
    np.savez(
        tmp_path / "a.npz", **{names[0]: given[layout], names[1]: LABELS, "class_names": np.array(["x", "y", "z"])}
    )
    found, labels = batches_of(ValidationSpec(str(tmp_path / "a.npz"), batch_size=4))
    torch.testing.assert_close(found, expected)
    assert labels.tolist() == LABELS.tolist()
    assert open_validation(ValidationSpec(str(tmp_path / "a.npz")))[1] == ("x", "y", "z")


@pytest.mark.parametrize("below", ["", "val"])
def test_a_folder_of_images_is_read_in_the_order_of_classes_and_names(tmp_path: Path, below: str) -> None:
    written_folder(tmp_path / below)
    spec = ValidationSpec(str(tmp_path), batch_size=4)
    found, labels = batches_of(spec)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert open_validation(spec)[1] == ("class 0", "class 1", "class 2")
    order = sorted(range(6), key=lambda i: (LABELS[i], str(int(PIXELS[i].sum()))))
    torch.testing.assert_close(found, torch.from_numpy(PIXELS[order]).permute(0, 3, 1, 2).float() / 255)


def test_images_are_scaled_and_normalised_if_asked_and_pictures_are_as_they_were(tmp_path: Path) -> None:
    written_folder(tmp_path)
    spec = ValidationSpec(str(tmp_path), size=6, mean=(0.5, 0.4, 0.3), sd=(0.2, 0.25, 0.5))
    found, _ = batches_of(spec)
    plain, _ = batches_of(ValidationSpec(str(tmp_path), size=6))
    assert found.shape == (6, 3, 6, 6)
    mean, sd = (torch.tensor(part)[:, None, None] for part in (spec.mean, spec.sd))
    torch.testing.assert_close(found, (plain - mean) / sd)
    maker = PictureMaker(spec.normalisation)
    maker.add(next(iter(open_validation(spec)[0]))[0])
    assert maker.error is None
    assert len(maker.pictures or []) == 6


def test_what_cannot_be_validated_on_says_what_it_must_be(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", x_train=PIXELS, y_train=LABELS)
    np.savez(tmp_path / "flat.npz", x=PIXELS[0, 0], y=LABELS)
    np.savez(tmp_path / "objects.npz", x=np.array([{}]), y=LABELS)
    (tmp_path / "broken.npz").write_bytes(b"PK")
    mixed = written_folder(tmp_path / "mixed")
    Image.fromarray(PIXELS[0, :4]).save(mixed / "class 2" / "z.png")
    damaged = written_folder(tmp_path / "damaged")
    (damaged / "class 0" / "a.png").write_bytes(b"no image")
    (tmp_path / "empty").mkdir()
    for name, says in (
        ("train.npz", "must hold x_test and y_test, or x and y. It has x_train, y_train"),
        ("flat.npz", "channels last or second"),
        ("objects.npz", "must be an .npz of numbers"),
        ("broken.npz", "must be an .npz of numbers"),
        ("mixed", "--image-size 224"),
        ("damaged", r"a\.png must be an image"),
        ("empty", "has no images in folders"),
        ("nothing", "is not there"),
    ):
        with pytest.raises(DatasetError, match=says):
            batches_of(ValidationSpec(str(tmp_path / name)))
    for wrong in ({"mean": (0.5,)}, {"mean": (0.5,), "sd": (0.0,)}, {"batch_size": 0}, {"size": 0}):
        with pytest.raises(ValueError, match="must"):
            ValidationSpec("a.npz", **wrong)  # type: ignore[arg-type]
