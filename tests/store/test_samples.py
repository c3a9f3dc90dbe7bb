"""Samples are kept in class order, and every one finds its own picture."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeptracker.errors import FormatVersionError, LogFileError
from deeptracker.schema import Branch, RunInfo
from deeptracker.store import columns, samples
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogReader, LogWriter
from deeptracker.store.samples import (
    PICTURES_PER_FILE,
    Pictures,
    Samples,
    class_order,
    encode_picture,
    media_type,
    read_samples,
    write_samples,
)

LABELS = np.array([2, 0, 2, 1, 0])
IDS = ["e", "a", "f", "d", "b"]


def opened(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture))


def test_samples_are_kept_in_class_order_and_within_a_class_as_they_came(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    write_samples(blobs, IDS, LABELS, classes=4)
    read = read_samples(blobs)
    assert read is not None
    assert read.ids == ("a", "b", "d", "e", "f")
    assert read.labels.tolist() == [0, 0, 1, 2, 2]
    assert read.labels.dtype == np.int32
    assert read.class_offsets.tolist() == [0, 2, 3, 5, 5]
    assert read.classes == 4
    assert not read.has_pictures
    assert [IDS[i] for i in class_order(LABELS)] == list(read.ids)


def test_a_run_without_samples_has_none(tmp_path: Path) -> None:
    assert read_samples(Blobs(tmp_path)) is None
    assert samples.damaged_samples(Blobs(tmp_path)) == {}


@pytest.mark.parametrize("files_kept", [1, 8])
def test_every_sample_finds_its_own_picture_across_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files_kept: int
) -> None:
    monkeypatch.setattr(samples, "PICTURES_PER_FILE", 7)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 23)
    given = [f"picture of {i}".encode() for i in range(23)]
    blobs = Blobs(tmp_path)
    write_samples(blobs, [str(i) for i in range(23)], labels, classes=5, pictures=given)
    assert len(blobs.list("samples/")) == 4 + 1
    read, pictures = read_samples(blobs), Pictures(blobs, files_kept=files_kept)
    assert read is not None
    assert read.has_pictures
    for sample in rng.permutation(23):
        assert pictures.get(int(sample)) == f"picture of {read.ids[sample]}".encode()
    assert samples.damaged_samples(blobs) == {}


def test_labels_are_written_last_so_that_pictures_are_there_when_samples_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    put = Blobs.put
    monkeypatch.setattr(Blobs, "put", lambda self, path, data: (written.append(path), put(self, path, data))[1])
    write_samples(Blobs(tmp_path), IDS, LABELS, classes=3, pictures=[b"x"] * 5)
    assert written == ["samples/pictures-000.arrow", "samples/labels.arrow"]


@pytest.mark.parametrize(("wrong", "text"), [(3, "Sample f has 3, and 0 more are outside"), (-1, "Sample f has -1")])
def test_labels_outside_the_classes_are_refused_before_anything_is_written(
    tmp_path: Path, wrong: int, text: str
) -> None:
    labels = LABELS.copy()
    labels[2] = wrong
    with pytest.raises(ValueError, match=rf"must be in 0\.\.2 \(the model has 3 outputs\)\. {text}"):
        write_samples(Blobs(tmp_path), IDS, labels, classes=3, pictures=[b"x"] * 5)
    assert list(tmp_path.iterdir()) == []


def test_samples_check_themselves() -> None:
    with pytest.raises(ValueError, match=r"labels must have shape \(1,\)"):
        Samples(("a",), np.zeros(2, np.int32), 1, False)
    with pytest.raises(ValueError, match="labels must ascend"):
        Samples(("a", "b"), np.array([1, 0], np.int32), 2, False)


@pytest.mark.parametrize(
    ("shape", "size", "mode", "kind"),
    [
        ((32, 32, 3), (32, 32), "RGB", "image/png"),
        ((28, 28), (28, 28), "L", "image/png"),
        ((8, 8, 1), (8, 8), "L", "image/png"),
        ((48, 20, 3), (20, 48), "RGB", "image/png"),
        ((49, 20, 3), (20, 49), "RGB", "image/jpeg"),
        ((96, 96), (96, 96), "L", "image/jpeg"),
        ((224, 224, 3), (96, 96), "RGB", "image/jpeg"),
        ((100, 400, 3), (96, 24), "RGB", "image/jpeg"),
        ((400, 100), (24, 96), "L", "image/jpeg"),
        ((3000, 2, 3), (1, 96), "RGB", "image/jpeg"),
        ((1, 1, 3), (1, 1), "RGB", "image/png"),
    ],
)
def test_thumbnails_keep_mode_and_proportions_and_fit_into_96_pixels(
    shape: tuple[int, ...], size: tuple[int, int], mode: str, kind: str
) -> None:
    pixels = np.full(shape, 200, np.uint8)
    picture = encode_picture(pixels)
    image = opened(picture)
    assert image.size == size
    assert image.mode == mode
    assert media_type(picture) == kind
    assert abs(np.asarray(image).astype(int) - 200).max() <= 2


def test_small_pictures_are_kept_pixel_by_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 20, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(opened(encode_picture(pixels))), pixels)
    transposed = pixels.transpose(1, 0, 2)  # not contiguous
    assert np.array_equal(np.asarray(opened(encode_picture(transposed))), transposed)


@pytest.mark.parametrize("damage", ["cut short", "empty", "foreign", "future"])
def test_damaged_labels_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    blobs = Blobs(tmp_path)
    if damage == "future":
        monkeypatch.setattr(columns, "FORMAT_VERSION", 2)
    write_samples(blobs, IDS, LABELS, classes=3)
    monkeypatch.undo()
    whole = blobs.get("samples/labels.arrow")
    data = {"cut short": whole[:-30], "empty": b"", "foreign": b"x" * 500, "future": whole}[damage]
    blobs.put("samples/labels.arrow", data)
    with pytest.raises(FormatVersionError if damage == "future" else LogFileError, match=r"samples/labels\.arrow"):
        read_samples(blobs)
    assert list(samples.damaged_samples(blobs)) == ["samples/labels.arrow"]


def test_damaged_missing_and_swapped_pictures_are_named_by_check(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    LogWriter(blobs).write_info(RunInfo("a", "2026-01-02T03:04:05+00:00", (Branch(0, "then"),)))
    count = 3 * PICTURES_PER_FILE + 1
    write_samples(blobs, ["x"] * count, np.zeros(count, np.int64), classes=1, pictures=[b"y"] * count)
    assert LogReader(blobs).check() == []
    blobs.put("samples/pictures-000.arrow", blobs.get("samples/pictures-000.arrow")[:-9])
    (tmp_path / "samples/pictures-001.arrow").unlink()
    blobs.put("samples/pictures-003.arrow", blobs.get("samples/pictures-002.arrow"))
    problems = LogReader(blobs).check()
    assert [text.split("samples/")[1][:18] for text in problems] == [f"pictures-00{i}.arrow" for i in (0, 1, 3)]
    assert "must be there: the samples have pictures. It is missing." in problems[1]
    assert "must hold 1 pictures. It holds 1024." in problems[2]
    with pytest.raises(LogFileError, match=r"pictures-000\.arrow"):
        Pictures(blobs).get(0)
    with pytest.raises(FileNotFoundError):
        Pictures(blobs).get(PICTURES_PER_FILE)
    assert Pictures(blobs).get(2 * PICTURES_PER_FILE) == b"y"
