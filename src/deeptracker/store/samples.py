"""Which images is a run validated on, and how are their pictures kept?

1. Samples are kept in class order: all of class 0, then all of class 1, and within a class as they came. A sample's
   index in this order is its name everywhere (files, HTTP, page).
2. Pictures are thumbnails, `pictures-000.arrow` and so on, so that a class's pictures lie in one file or two:
   PNG up to 48 pixels a side (small images are seen pixel by pixel), JPEG above, never more than 96.
3. `labels.arrow` has each sample's id and true label. It is written last: where it is, the pictures are complete.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from deeptracker.errors import LogFileError
from deeptracker.store.blobs import Blobs, read_or_none
from deeptracker.store.columns import decode_columns, encode_columns

PICTURE_SIDE_PIXELS = 96
LOSSLESS_SIDE_PIXELS = 48
PICTURES_PER_FILE = 1024
_LABELS = "samples/labels.arrow"


@dataclass(frozen=True, slots=True)
class Samples:
    """The validation samples: `labels` int32 (samples,), ascending; `ids` as the user knows them; number of classes."""

    ids: Sequence[str]
    labels: npt.NDArray[np.int32]
    classes: int
    has_pictures: bool

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.ids),):
            raise ValueError(f"labels must have shape ({len(self.ids)},), one for each id. Got {self.labels.shape}.")
        if len(self.labels) and not (np.diff(self.labels) >= 0).all():
            raise ValueError("labels must ascend: samples are kept in class order. They do not.")

    @property
    def class_offsets(self) -> npt.NDArray[np.int64]:
        """int64 (classes + 1,): the samples of class c are those from [c] to [c + 1]."""
        return np.searchsorted(self.labels, np.arange(self.classes + 1)).astype(np.int64)


def class_order(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """int64 (n,): positions of the samples in class order."""
    return np.argsort(labels, kind="stable").astype(np.int64)


def write_samples(
    blobs: Blobs,
    ids: Sequence[str],
    labels: npt.NDArray[np.integer],
    *,
    classes: int,
    pictures: Sequence[bytes] | None = None,
) -> None:
    """Write samples given in any order; `pictures` are their thumbnails, encoded, in the same order.

    Raises ValueError unless every label is in 0..classes-1.
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise ValueError(
            f"labels of validation samples must be in 0..{classes - 1} (the model has {classes} outputs). "
            f"Sample {ids[wrong[0]]} has {labels[wrong[0]]}, and {len(wrong) - 1} more are outside."
        )
    order = class_order(labels)
    if pictures is not None:
        for part, first in enumerate(range(0, len(order), PICTURES_PER_FILE)):
            chosen = [pictures[i] for i in order[first : first + PICTURES_PER_FILE]]
            data = encode_columns("pictures", {"picture": pa.array(chosen, pa.binary())})
            blobs.put(_pictures_path(part), data)
    columns = {"id": pa.array([str(ids[i]) for i in order], pa.string()), "label": labels[order].astype(np.int32)}
    blobs.put(_LABELS, encode_columns("labels", columns, classes=classes, has_pictures=pictures is not None))


def read_samples(blobs: Blobs) -> Samples | None:
    """The samples of a run, or None while it has none. LogFileError if they cannot be read."""
    data = read_or_none(blobs, _LABELS)
    if data is None:
        return None
    columns = decode_columns(data, "labels", place=blobs.name(_LABELS))
    about = columns.metadata
    return Samples(columns.texts("id"), columns.numpy("label").copy(), about["classes"], about["has_pictures"])


def damaged_samples(blobs: Blobs) -> dict[str, str]:
    """For each file of the samples that cannot be read, by path, one sentence that says what is wrong with it."""
    wrong = {}
    samples = None
    try:
        samples = read_samples(blobs)
    except LogFileError as error:
        wrong[_LABELS] = str(error)
    if samples is None or not samples.has_pictures:
        return wrong
    for first in range(0, len(samples.labels), PICTURES_PER_FILE):
        path = _pictures_path(first // PICTURES_PER_FILE)
        held = min(PICTURES_PER_FILE, len(samples.labels) - first)
        try:
            found = len(_read_pictures(blobs, path))
        except FileNotFoundError:
            wrong[path] = f"{blobs.name(path)} must be there: the samples have pictures. It is missing."
        except LogFileError as error:
            wrong[path] = str(error)
        else:
            if found != held:
                wrong[path] = f"{blobs.name(path)} must hold {held} pictures. It holds {found}."
    return wrong


class Pictures:
    """Reads pictures by sample; the files last used are kept in memory."""

    def __init__(self, blobs: Blobs, *, files_kept: int = 8) -> None:
        self._blobs = blobs
        self._kept: OrderedDict[int, pa.Array] = OrderedDict()
        self._files_kept = files_kept

    def get(self, sample: int) -> bytes:
        """The encoded picture of a sample; FileNotFoundError or LogFileError if it cannot be read."""
        part, row = divmod(sample, PICTURES_PER_FILE)
        if part not in self._kept:
            self._kept[part] = _read_pictures(self._blobs, _pictures_path(part))
            if len(self._kept) > self._files_kept:
                self._kept.popitem(last=False)
        picture: bytes = self._kept[part][row].as_py()
        return picture


def media_type(picture: bytes) -> str:
    """`image/png` or `image/jpeg`, by the first bytes."""
    return "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"


def encode_picture(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The thumbnail of an image, uint8 (height, width) or (height, width, 1 or 3)."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((PICTURE_SIDE_PIXELS, PICTURE_SIDE_PIXELS), Image.Resampling.BOX)
    sink = io.BytesIO()
    if max(image.size) <= LOSSLESS_SIDE_PIXELS:
        image.save(sink, "PNG")
    else:
        image.save(sink, "JPEG", quality=88)
    return sink.getvalue()


def _read_pictures(blobs: Blobs, path: str) -> pa.Array:
    return decode_columns(blobs.get(path), "pictures", place=blobs.name(path)).arrays["picture"]


def _pictures_path(part: int) -> str:
    return f"samples/pictures-{part:03d}.arrow"
