"""The Confusion view on a planted run: what its cells hold, going from dump to dump, comparing, and what is behind."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from benchmarks.generate import Scale, UnsyncedBlobs, write_dumps
from deeptracker import open_run
from deeptracker.run import Run
from deeptracker.schema import Branch, Predictions, RunInfo
from deeptracker.store.log import LogWriter
from deeptracker.store.samples import encode_picture, write_samples
from tests.browser.conftest import Open, ready, served
from tests.browser.test_validation import query

pytestmark = pytest.mark.browser

NAMES = ("cat", "dog", "fox", "gong", "owl")
EACH = 12
DUMPS = 24
VIEW = "/?run=pets&view=confusion"


def labels_at(dump: int) -> np.ndarray:
    """int16 (samples,): many cats are dogs until dump 10, three foxes are gongs for good, owls are NaN at first."""
    label = np.repeat(np.arange(5), EACH).astype(np.int16)
    if dump < 10:
        label[: 8 - dump // 2] = 1
    label[2 * EACH : 2 * EACH + 3] = 3
    if dump < 4:
        label[4 * EACH : 4 * EACH + 5] = -2
    return label


def write(place: Path, dumps: int = DUMPS) -> None:
    blobs = UnsyncedBlobs(place)
    log = LogWriter(blobs)
    created = "2026-01-01T00:00:00+00:00"
    log.write_info(RunInfo("pets", created, (Branch(0, created),), class_names=NAMES, state="finished"))
    true = np.repeat(np.arange(5), EACH)
    rng = np.random.default_rng(0)
    pictures = [encode_picture(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)) for _ in true]
    write_samples(blobs, [f"pet {number}" for number in range(len(true))], true, classes=5, pictures=pictures)
    for dump in range(dumps):
        label = labels_at(dump)
        probability = np.where(label == true, 0.9, 0.1 + 0.001 * np.arange(len(true))).astype(np.float16)
        log.write_predictions(100 * dump, Predictions(label, probability), parts=["predictions"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("confused")
    write(place / "pets")
    return place


@pytest.fixture(scope="module")
def run(place: Path) -> Run:
    return open_run(place / "pets")


@pytest.fixture(scope="module")
def pets_link(place: Path) -> Iterator[str]:
    with served(place) as link:
        yield link


@pytest.fixture
def see(show: Open, pets_link: str) -> Open:
    return lambda path: show(path, base=pets_link)


def told(page: Page) -> dict[str, str]:
    section = page.get_by_test_id("reading")
    return dict(zip(section.locator("dt").all_inner_texts(), section.locator("dd").all_inner_texts(), strict=True))


def test_the_cells_hold_the_counts_of_the_run(see: Open, run: Run, tmp_path: Path) -> None:
    page = see(f"{VIEW}&at=200&mo=name")
    page.get_by_test_id("stage-canvas").focus()
    page.keyboard.press("ArrowRight")
    assert told(page) == {
        "True class": "cat",
        "Taken for": "dog",
        "Samples": "7 of 12 · 58 %",
        "The other way": "0 of 12",
        "Wrong of cat": "58 %",
    }
    assert run.confusion(200).of(0, 1) == 7
    with page.expect_download() as waiting:
        page.get_by_test_id("export").click()
        page.get_by_test_id("export-cells").click()
    waiting.value.save_as(tmp_path / "cells.csv")
    rows = list(csv.DictReader((tmp_path / "cells.csv").read_text().splitlines()))
    counts = {(int(row["true"]), int(row["predicted"])): int(row["count"]) for row in rows}
    found = run.confusion(200)
    expected = zip(found.true.tolist(), found.predicted.tolist(), found.count.tolist(), strict=True)
    assert counts == {(cls, label): count for cls, label, count in expected}
    assert {row["predicted name"] for row in rows} >= {"no number (NaN)"}


def test_going_from_dump_to_dump_is_in_the_link(see: Open) -> None:
    page = see(VIEW)
    facts = page.get_by_test_id("looked-at")
    expect(facts).to_contain_text("2,300 (newest)")
    handle = page.get_by_test_id("handle-at")
    handle.press("Shift+ArrowLeft")
    ready(page)
    assert query(page)["at"] == "1300"
    expect(handle).to_have_attribute("aria-valuetext", "iteration 1,300")
    page.get_by_test_id("step-back").click()
    handle.press("Home")
    ready(page)
    expect(page.get_by_test_id("pairs-title")).to_contain_text("iteration 0")
    expect(page.get_by_test_id("pair").first).to_have_attribute("data-pair", "0.1")
    expect(page.get_by_test_id("pair").first).to_contain_text("8 of 12")
    box = handle.bounding_box()
    assert box
    page.mouse.move(box["x"] + 9, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 20, steps=4)
    before = query(page).get("at")
    page.mouse.up()
    ready(page)
    assert query(page)["at"] != before
    handle.press("End")
    ready(page)
    assert "at" not in query(page)


def test_two_dumps_are_compared_and_the_flows_between_them_told(see: Open, run: Run) -> None:
    page = see(f"{VIEW}&at=1500")
    page.keyboard.press("c")
    ready(page)
    assert 0 < int(query(page)["to"]) < 1500
    page = see(f"{VIEW}&at=1500&to=0")
    expected = run.confusion_flows(0, 1500)
    expect(page.get_by_test_id("flows-facts")).to_contain_text(f"{expected.count.sum()} samples")
    flows = page.get_by_test_id("flow")
    assert [one.get_attribute("data-flow") for one in flows.all()] == ["0.1.0", "4.-2.4"]
    flows.first.click()
    ready(page)
    assert query(page)["cell"] == "0.0"
    expect(page.get_by_test_id("cell-count")).to_contain_text("4 → 12 of 12")
    expect(page.get_by_test_id("course")).to_have_attribute("aria-label", re.compile("12 at iteration 1,500"))
    flow = page.get_by_test_id("class-flow")
    expect(flow).to_have_attribute(
        "aria-label", "What the samples were taken for, before and after: 8 dog to cat, 4 cat to cat"
    )
    page.get_by_test_id("compare").uncheck()
    ready(page)
    assert "to" not in query(page)


def test_the_samples_behind_a_cell_lead_to_their_detail_and_the_class_to_its_view(see: Open, run: Run) -> None:
    page = see(f"{VIEW}&at=600&cell=2.3")
    expect(page.get_by_test_id("cell-title")).to_have_text("fox taken for gong")
    shown = [int(one.get_attribute("data-sample") or -1) for one in page.get_by_test_id("taken-sample").all()]
    assert shown == run.confusion_samples(600, "fox", 3).samples.tolist() == [24, 25, 26]
    page.get_by_test_id("taken-sample").nth(1).click()
    ready(page)
    detail = page.get_by_test_id("sample-detail")
    expect(detail).to_have_attribute("data-sample", "25")
    expect(detail).to_contain_text("gong")
    page.keyboard.press("Escape")
    expect(detail).to_have_count(0)
    page.get_by_test_id("only-confused").click()
    ready(page)
    assert query(page)["rc"] == "2-3"
    page.get_by_test_id("into-validation").click()
    ready(page)
    assert (query(page).get("view"), query(page)["c"]) == (None, "2")
    page.keyboard.press("5")
    ready(page)
    expect(page.get_by_test_id("cell-title")).to_have_text("fox taken for gong")


def test_a_link_of_another_run_is_told_and_a_picture_saved(see: Open, tmp_path: Path) -> None:
    page = see(f"{VIEW}&at=150&cell=9.1&mo=confusion&to=2300")
    expect(page.get_by_test_id("stale-link")).to_contain_text("does not exist in this run")
    assert "cell" not in query(page)
    with page.expect_download() as waiting:
        page.get_by_test_id("export").click()
        page.get_by_test_id("export-svg").click()
    waiting.value.save_as(tmp_path / "view.svg")
    text = (tmp_path / "view.svg").read_text()
    assert all(f">{name}<" in text for name in NAMES)


@pytest.mark.slow
def test_a_live_run_is_followed_at_its_newest_dump_only(show: Open, tmp_path: Path) -> None:
    dumps = write_dumps(tmp_path / "live", Scale(8, 3, 6, 10, resnet50=False, pictures=False), finished=False)
    for _ in range(3):
        next(dumps)
    with served(tmp_path) as link:
        page = show("/?run=live&view=confusion", base=link)
        facts = page.get_by_test_id("looked-at")
        expect(facts).to_contain_text("20 (newest)")
        next(dumps)
        expect(facts).to_contain_text("30 (newest)")
        page.keyboard.press("Home")
        next(dumps)
        expect(page.get_by_test_id("dumps")).to_have_text("5 dumps")
        ready(page)
        assert query(page)["at"] == "0"
        page.close()
