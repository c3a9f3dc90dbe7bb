"""A folder of snapshots is one series of one network, or says why not."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from deeptracker.record.snapshots import Snapshots, find_snapshots
from deeptracker.record.weights import SnapshotError

WEIGHTS = {"fc.weight": torch.ones(3, 2)}


def save(place: Path, *names: str, **entries: Any) -> None:
    for name in names:
        if name.endswith(".safetensors"):
            save_file(WEIGHTS, place / name, {key: str(value) for key, value in entries.items()} or None)
        else:
            torch.save({**WEIGHTS, **entries}, place / name)


def iterations(found: Snapshots) -> dict[str, int]:
    return {Path(one.path).name: one.iteration for one in found.snapshots}


@pytest.mark.parametrize(
    ("names", "expected", "source"),
    [
        (["a-2.pt", "a-10.pth", "a-1.pt"], [2, 10, 1], "the number in their names"),
        (["000000001600.safetensors"], [1600], "the number in their names"),
        (["resnet50_7.pt", "resnet50_30.pt"], [7, 30], "the number in their names"),
        (
            ["epoch=1-step=20.pt", "epoch=2-step=40.pt"],
            [20, 40],
            'the number after "step" or "iteration" in their names',
        ),
        (["epoch=1-step=20.pt"], [20], 'the number after "step" or "iteration" in their names'),
        (["best_global_step_9.pt", "Iter-12_v2.pt"], [9, 12], 'the number after "step" or "iteration" in their names'),
        (["v2-epoch_3-loss0.25.pt", "v2-epoch_4-loss0.5.pt"], [3, 4], "the epoch in their names"),
        (["unit3-8.pt", "unit3-9.pt"], [8, 9], "the number in their names"),
    ],
)
def test_names_tell_iterations_where_files_do_not(
    tmp_path: Path, names: list[str], expected: list[int], source: str
) -> None:
    save(tmp_path, *names)
    found = find_snapshots(tmp_path)
    assert iterations(found) == dict(zip(names, expected, strict=True))
    assert [one.iteration for one in found.snapshots] == sorted(expected)
    assert found.source == source


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["step=1.pt", "best.pt"], "best.pt has no number"),
        (["a-1.pt", "b-2.pt"], "b-2.pt and .*a-1.pt differ in more"),
        (["a1-1.pt", "a2-3.pt"], "a1-1.pt has 2 that could be"),
        (["a1-1.pt"], "a1-1.pt has 2 that could be"),
        (["step=1.pt", "step=01.pt"], "step=01.pt and .*step=1.pt are both of 1"),
        (["a-1.pt", "a-1.safetensors"], "a-1.pt and .*a-1.safetensors are both of 1"),
        (["a-1234567890123.pt", "a-1.pt"], "must be in 0..999999999999"),
    ],
)
def test_names_that_are_not_clear_are_refused_by_name(tmp_path: Path, names: list[str], says: str) -> None:
    save(tmp_path, *names)
    with pytest.raises(SnapshotError, match=says):
        find_snapshots(tmp_path)


def test_contents_go_before_names(tmp_path: Path) -> None:
    save(tmp_path, "a-1.pt", iteration=300)
    save(tmp_path, "a-2.safetensors", global_step=200)
    found = find_snapshots(tmp_path)
    assert iterations(found) == {"a-2.safetensors": 200, "a-1.pt": 300}
    assert found.source == "'iteration' or 'global_step' in the files"
    assert iterations(find_snapshots(tmp_path, rule="contents")) == iterations(found)
    assert iterations(find_snapshots(tmp_path, rule="names")) == {"a-1.pt": 1, "a-2.safetensors": 2}


def test_files_that_do_not_agree_on_how_they_say_it_are_refused_with_the_way_out(tmp_path: Path) -> None:
    save(tmp_path, "a-1.pt", iteration=300)
    save(tmp_path, "a-2.pt")
    with pytest.raises(SnapshotError, match=r"a-2.pt does not. .*a-1.pt does. --iterations names"):
        find_snapshots(tmp_path)
    save(tmp_path, "a-2.pt", iteration=400, step=7)
    with pytest.raises(SnapshotError, match=r"a-2.pt says 400 \(iteration\) and 7 \(step\). --iterations names"):
        find_snapshots(tmp_path)
    save(tmp_path, "a-2.pt", step=300)
    with pytest.raises(
        SnapshotError, match=r"are both of 300, by 'iteration' or 'step' in the files.*--iterations names"
    ):
        find_snapshots(tmp_path)
    assert iterations(find_snapshots(tmp_path, rule="names")) == {"a-1.pt": 1, "a-2.pt": 2}
    save(tmp_path, "a-1.pt")
    save(tmp_path, "a-2.pt")
    with pytest.raises(SnapshotError, match=r"a-1.pt does not. --iterations names"):
        find_snapshots(tmp_path, rule="contents")
    save(tmp_path, "a-1.pt", step=-5)
    save(tmp_path, "a-2.pt", step=5)
    with pytest.raises(SnapshotError, match=r"a-1.pt is -5"):
        find_snapshots(tmp_path)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"fc.weight": torch.ones(3, 4)}, "In .*b-2.pt layer 'fc' is 3 x 4, and 3 x 2 in .*a-1.pt"),
        ({"head.weight": torch.ones(3, 2)}, "In .*b-2.pt there is a layer 'head', and none in .*a-1.pt"),
        ({**WEIGHTS, "head.weight": torch.ones(3, 2)}, "there is a layer 'head', and none in"),
        ({"fc.weight": torch.ones(3, 2, dtype=torch.float64)}, "layer 'fc' is float64, and less in"),
    ],
)
def test_a_snapshot_of_another_network_is_named_with_what_differs(
    tmp_path: Path, other: dict[str, torch.Tensor], says: str
) -> None:
    save(tmp_path, "a-1.pt")
    torch.save(other, tmp_path / "b-2.pt")
    with pytest.raises(SnapshotError, match=says):
        find_snapshots(tmp_path)


def test_a_missing_layer_is_named(tmp_path: Path) -> None:
    torch.save({**WEIGHTS, "head.weight": torch.ones(3, 2)}, tmp_path / "a-1.pt")
    save(tmp_path, "a-2.pt")
    with pytest.raises(SnapshotError, match=r"In .*a-2.pt there is no layer 'head', as there is in .*a-1.pt"):
        find_snapshots(tmp_path)


def test_wrappers_and_half_precision_do_not_make_another_network(tmp_path: Path) -> None:
    save(tmp_path, "a-1.pt")
    torch.save({"module.fc.weight": torch.ones(3, 2).bfloat16()}, tmp_path / "a-2.pt")
    assert len(find_snapshots(tmp_path).snapshots) == 2


def test_what_cannot_be_read_is_left_out_and_what_is_no_snapshot_is_not_looked_at(tmp_path: Path) -> None:
    save(tmp_path, "a-1.pt", "a-2.pt", "a-3.pt", ".a-4.pt")
    (tmp_path / "a-2.pt").write_bytes(b"PK")
    (tmp_path / "readme.txt").write_text("")
    (tmp_path / "more.pt").mkdir()
    found = find_snapshots(tmp_path)
    assert iterations(found) == {"a-1.pt": 1, "a-3.pt": 3}
    (text,) = found.unreadable
    assert text.startswith(f"{tmp_path}/a-2.pt cannot be read: ")


def test_the_first_snapshot_by_iteration_gives_the_order_of_layers(tmp_path: Path) -> None:
    first, second = torch.ones(2, 2), torch.ones(3, 2)
    torch.save({"b.weight": second, "a.weight": first}, tmp_path / "s-10.pt")
    torch.save({"a.weight": first, "b.weight": second}, tmp_path / "s-9.pt")
    assert [layer.name for layer in find_snapshots(tmp_path).layers] == ["a", "b"]


def test_a_place_without_snapshots_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="nowhere must be a folder of snapshots"):
        find_snapshots(tmp_path / "nowhere")
    with pytest.raises(
        SnapshotError, match=r"must hold snapshots \(\.safetensors, \.pt, \.pth, \.ckpt\), not in folders"
    ):
        find_snapshots(tmp_path)
    with pytest.raises(SnapshotError, match="must lie in a local folder"):
        find_snapshots("s3://bucket/checkpoints")
    (tmp_path / "a-1.pt").write_bytes(b"")
    with pytest.raises(SnapshotError, match=r"None can: .*a-1.pt"):
        find_snapshots(tmp_path)
    with pytest.raises(ValueError, match=r"contents or names. Got 'dates'"):
        find_snapshots(tmp_path, rule="dates")
