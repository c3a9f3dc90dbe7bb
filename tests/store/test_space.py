"""What a run takes adds up to what the disk says, and every file is counted where it belongs."""

import os
from pathlib import Path

import pytest

from deeptracker.errors import RunNotFoundError
from deeptracker.store.blobs import Blobs
from deeptracker.store.space import SPACE_KINDS, space_of
from tests.s3 import Bucket
from tests.store.test_log import begun, resumed, write_dump


def on_disk(folder: Path) -> tuple[int, int]:
    """Files below a folder and their bytes, as `find -type f` and `du --apparent-size` count them."""
    sizes = [(Path(where) / name).stat().st_size for where, _, names in os.walk(folder) for name in names]
    return len(sizes), sum(sizes)


def test_all_kinds_together_are_what_the_disk_holds(small_run: Path) -> None:
    (small_run / "notes.txt").write_text("mine")
    (small_run / "log" / "filters" / ".000000000100.arrow.ab.tmp").write_bytes(b"half")
    (small_run / "index" / "0a1b" / "c").mkdir(parents=True)
    (small_run / "index" / "0a1b" / "c" / "0").write_bytes(b"shard")
    (small_run / "samples" / "more.arrow").write_bytes(b"not ours")
    space = space_of(Blobs(small_run))
    assert (space.files, space.bytes) == on_disk(small_run)
    assert sum(kind.bytes for kind in space.kinds) == space.bytes
    assert sum(kind.share for kind in space.kinds) == pytest.approx(1)
    for kind in ("predictions", "layers", "kernels", "filters", "scalars"):
        found = space.of(kind)
        hidden = (1, 4) if kind == "filters" else (0, 0)
        assert (found.files + hidden[0], found.bytes + hidden[1]) == on_disk(small_run / "log" / kind)
        assert found.bytes_a_dump == found.bytes / 60
    assert (space.of("samples").files, space.of("documents").files) == (2, 2)
    assert (space.of("temporary").bytes, space.of("index").bytes, space.of("foreign").bytes) == (4, 5, 12)


def test_what_a_later_branch_replaced_is_abandoned(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    for iteration in (0, 10, 20, 30):
        write_dump(log, iteration)
    before = {blob.path: blob.size_bytes for blob in blobs.list("log/")}
    assert space_of(blobs).of("abandoned").files == 0
    write_dump(resumed(blobs, 10), 10, value=1)  # replaces the dump at 10, and cuts off those at 20 and 30
    lost = [path for path in before if any(f"/{iteration:012d}." in path for iteration in (10, 20, 30))]
    abandoned = space_of(blobs).of("abandoned")
    assert (abandoned.files, abandoned.bytes) == (len(lost), sum(before[path] for path in lost))
    assert abandoned.files == 12
    assert space_of(blobs).of("filters").files == 2
    assert (space_of(blobs).files, space_of(blobs).bytes) == on_disk(tmp_path)


def test_a_dump_that_is_being_written_is_not_abandoned(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path)
    write_dump(log, 0)
    write_dump(log, 10, kinds=("predictions",))
    space = space_of(blobs)
    assert (space.dumps, space.of("predictions").files, space.of("abandoned").files) == (1, 2, 0)


def test_an_empty_run_takes_its_documents(tmp_path: Path) -> None:
    space = space_of(begun(tmp_path)[0])
    assert (space.dumps, space.files, space.of("filters").bytes_a_dump) == (0, 2, None)


def test_a_run_in_an_object_store_takes_what_it_takes_on_a_disk(served_root: Path, s3: Bucket) -> None:
    run = served_root / "group" / "tiny"
    local, there = Blobs(run), Blobs(s3.url("tiny"))
    for blob in local.list():
        there.put(blob.path, local.get(blob.path))
    assert space_of(there) == space_of(local)


def test_where_there_is_no_run_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="no run in"):
        space_of(Blobs(tmp_path / "nowhere"))


def test_only_known_kinds_may_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"kind must be one of {', '.join(SPACE_KINDS)}"):
        space_of(begun(tmp_path)[0]).of("bins")
