"""A thinned run is a whole run, byte for byte what was kept; the old run is never touched, whatever fails."""

import errno
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deeptracker.errors import DeepTrackerError, LogFileError, RunExistsError
from deeptracker.run import open_run
from deeptracker.store import local as local_module
from deeptracker.store.blobs import Blobs
from deeptracker.store.listing import KINDS
from deeptracker.store.thin import ThinningPlan, check_target, copy_run, plan_thinning
from tests.s3 import Bucket
from tests.store.test_log import begun, info, resumed, write_dump

CHOSEN = (0, 700, 800, 900, 5900)


def plan_for(run: Path | str, iterations: tuple[int, ...] = CHOSEN) -> ThinningPlan:
    return plan_thinning(Blobs(run), iterations, rule="this test")


def thinned(run: Path | str, target: Path | str, iterations: tuple[int, ...] = CHOSEN, *, resume: bool = False) -> None:
    plan = plan_for(run, iterations)
    copy_run(Blobs(run), Blobs(target), plan, resume=resume, on_bytes=lambda _: None)


def digest(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file below a folder: what is in it, and when it was last changed."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in files
    }


def test_what_is_kept_is_the_same_bytes_and_answers_the_same(small_run: Path, tmp_path: Path) -> None:
    before = digest(small_run)
    new = tmp_path / "deep" / "new"
    thinned(small_run, new)
    assert digest(small_run) == before
    after = digest(new)
    assert {path: one[0] for path, one in after.items() if path != "run.json"} == {
        path: before[path][0] for path in after if path != "run.json"
    }
    old_run, new_run = open_run(small_run), open_run(new)
    assert new_run.check() == []
    assert new_run.iterations.tolist() == list(CHOSEN)
    rows = np.searchsorted(old_run.iterations, CHOSEN)
    assert np.array_equal(new_run.error_rates(), old_run.error_rates()[:, rows], equal_nan=True)
    assert np.array_equal(new_run.filter_stats(0, "change"), old_run.filter_stats(0, "change")[:, rows], equal_nan=True)
    assert np.array_equal(new_run.scalars()["loss"], old_run.scalars()["loss"])
    assert new_run.picture(3) == old_run.picture(3)
    assert plan_for(small_run).bytes == sum(path.stat().st_size for path in new.rglob("*") if path.is_file())


def test_run_json_says_what_was_thinned_and_by_which_rule(small_run: Path, tmp_path: Path) -> None:
    thinned(small_run, tmp_path / "new")
    thinned(tmp_path / "new", tmp_path / "newer", (0, 5900))
    once, twice = open_run(tmp_path / "new").info, open_run(tmp_path / "newer").info
    assert (once.name, once.every, once.state) == ("small, thinned", "generated, thinned", "finished")
    assert f"5 of 60 dumps of {small_run} were kept by this test." in once.config["thinned"]
    assert "change" in once.config["thinned"]
    assert twice.config["thinned"].startswith("2 of 5 dumps of")
    assert once.config["thinned"] in twice.config["thinned"]


def test_a_run_that_was_not_closed_does_not_pass_for_a_live_one(small_run: Path, tmp_path: Path) -> None:
    opened = open_run(small_run).info
    Blobs(small_run).put("run.json", replace(opened, state="running").to_json())
    thinned(small_run, tmp_path / "new")
    found = open_run(tmp_path / "new")
    assert (found.state, found.info.exception) == ("failed", "the run was not closed when it was thinned")


def test_index_foreign_and_temporary_files_stay_behind(small_run: Path, tmp_path: Path) -> None:
    for name in ("index/zarr.json", "notes.txt", "samples/mine.arrow", "log/filters/.x.tmp"):
        path = small_run / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"{}")
    thinned(small_run, tmp_path / "new")
    assert not [path for path in digest(tmp_path / "new") if path.endswith((".tmp", "notes.txt", "mine.arrow"))]
    assert not (tmp_path / "new" / "index").exists()


def test_only_the_branch_that_counts_is_copied_and_all_ranks_of_it(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path / "run")
    for iteration in (0, 10, 20, 30):
        write_dump(log, iteration)
    log.write_scalars(np.array([1, 30]), {"loss": np.array([1.0, 2.0])})
    log.write_scalars(np.array([31, 40]), {"loss": np.array([3.0, 4.0])})
    branch = resumed(blobs, 20)
    for iteration in (20, 30, 40):
        write_dump(branch, iteration, value=iteration + 1)
    ranked = "log/predictions/000000000040.branch001.rank001.arrow"
    blobs.put(ranked, blobs.get("log/predictions/000000000040.branch001.arrow"))
    thinned(blobs.place, tmp_path / "new", (0, 20, 40))
    found = {path for path in digest(tmp_path / "new") if path.startswith("log/")}
    names = ("000000000000", "000000000020.branch001", "000000000040.branch001")
    expected = {f"log/{kind}/{name}.arrow" for kind in KINDS for name in names}
    assert found == expected | {ranked, "log/scalars/000000000001-000000000030.arrow"}
    old, new = open_run(blobs.place), open_run(tmp_path / "new")
    assert new.iterations.tolist() == [0, 20, 40]
    assert new.check() == []
    assert new.filter_stats("fc", "l2").tolist() == old.filter_stats("fc", "l2")[:, [0, 2, 4]].tolist()
    assert new.scalars()["loss"].tolist() == old.scalars()["loss"].tolist()


def test_to_and_from_an_object_store(served_root: Path, s3: Bucket, tmp_path: Path) -> None:
    run = served_root / "group" / "tiny"
    thinned(run, s3.url("thin"), (0, 20, 40))
    thinned(s3.url("thin"), tmp_path / "back", (0, 20, 40))
    names = [blob.path for blob in Blobs(tmp_path / "back").list() if blob.path != "run.json"]
    assert [Blobs(run).get(name) for name in names] == [Blobs(tmp_path / "back").get(name) for name in names]
    assert open_run(s3.url("thin")).check() == []
    with pytest.raises(RunExistsError, match="holds one already"):
        thinned(run, s3.url("thin"), (0, 20, 40))
    with pytest.raises(DeepTrackerError, match="must lie apart"):
        thinned(s3.url("thin"), s3.url("thin/below"), (0,))


@pytest.mark.parametrize("place", ["", "inside/it", "..", "../small/../small"])
def test_the_new_run_never_lies_in_the_old_one_nor_around_it(small_run: Path, place: str) -> None:
    before = digest(small_run)
    with pytest.raises(DeepTrackerError, match="must lie apart"):
        thinned(small_run, small_run / place)
    assert digest(small_run) == before


def test_a_place_that_holds_something_is_refused_as_it_is(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    for resume in (False, True):
        with pytest.raises(DeepTrackerError, match=r"It holds thesis\.tex\. Remove it, or give another place"):
            thinned(small_run, tmp_path / "mine", resume=resume)
    assert list(digest(tmp_path / "mine")) == ["thesis.tex"]


def fail_after(monkeypatch: pytest.MonkeyPatch, writes: int, error: BaseException) -> None:
    """Let so many files be written, then raise."""
    put = local_module.put_file
    left = iter(range(writes))

    def limited(path: Path, data: bytes) -> None:
        if next(left, None) is None:
            raise error
        put(path, data)

    monkeypatch.setattr(local_module, "put_file", limited)


@pytest.mark.parametrize("writes", [0, 1, 30, 82])
def test_a_full_disk_is_told_and_the_copy_can_be_gone_on_with(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    before = digest(small_run)
    with monkeypatch.context() as patched:
        fail_after(patched, writes, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(DeepTrackerError, match=r"No space left on device\).*old one untouched.*--resume"):
            thinned(small_run, tmp_path / "new")
    assert digest(small_run) == before
    assert not (tmp_path / "new" / "run.json").exists()
    written = digest(tmp_path / "new")
    assert len(written) == writes
    if writes:
        with pytest.raises(DeepTrackerError, match=r"no run\.json: a copy that was stopped.*--resume, or remove"):
            thinned(small_run, tmp_path / "new")
    thinned(small_run, tmp_path / "new", resume=True)
    assert {path: one for path, one in digest(tmp_path / "new").items() if path in written} == written
    assert open_run(tmp_path / "new").check() == []
    assert open_run(tmp_path / "new").iterations.tolist() == list(CHOSEN)


def test_a_copy_is_never_gone_on_with_from_another_run_or_by_another_rule(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        fail_after(patched, 80, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            thinned(small_run, tmp_path / "new")
    with pytest.raises(DeepTrackerError, match=r"must be an unfinished copy of this thinning. It holds log/"):
        thinned(small_run, tmp_path / "new", (0, 5900), resume=True)
    path = tmp_path / "new" / "log" / "predictions" / "000000000700.arrow"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DeepTrackerError, match=r"000000000700\.arrow must be a copy of .* It differs"):
        thinned(small_run, tmp_path / "new", resume=True)
    assert not (tmp_path / "new" / "run.json").exists()


def test_a_file_that_is_removed_meanwhile_is_told(small_run: Path, tmp_path: Path) -> None:
    plan = plan_for(small_run)
    (small_run / "log" / "layers" / "000000000700.arrow").unlink()
    with pytest.raises(LogFileError, match=r"000000000700\.arrow must be there. It has been removed"):
        copy_run(Blobs(small_run), Blobs(tmp_path / "new"), plan, on_bytes=lambda _: None)
    assert not (tmp_path / "new" / "run.json").exists()


def test_progress_adds_up_to_the_files_of_the_plan(small_run: Path, tmp_path: Path) -> None:
    plan, done = plan_for(small_run), []
    copy_run(Blobs(small_run), Blobs(tmp_path / "new"), plan, on_bytes=done.append)
    assert (len(done), sum(done)) == (len(plan.files), sum(blob.size_bytes for blob in plan.files))


def test_a_resumed_recording_goes_on_where_the_thinned_run_ends(tmp_path: Path) -> None:
    blobs, log = begun(tmp_path / "run")
    for iteration in (0, 10, 20):
        write_dump(log, iteration)
    thinned(blobs.place, tmp_path / "new", (0, 20))
    new = Blobs(tmp_path / "new")
    write_dump(resumed(new, 20), 30)
    assert open_run(tmp_path / "new").iterations.tolist() == [0, 20, 30]
    assert info().branches == open_run(blobs.place).info.branches


def test_looking_at_the_target_writes_nothing(small_run: Path, tmp_path: Path) -> None:
    check_target(Blobs(small_run), Blobs(tmp_path / "new"), plan_for(small_run), resume=False)
    assert not (tmp_path / "new").exists()
