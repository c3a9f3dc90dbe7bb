"""The list of runs, and getting from it to a run and back."""

import shutil
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.generate import Scale, write_dumps, write_run
from deeptracker import open_run
from deeptracker.schema import Branch
from deeptracker.server.access import access_for
from deeptracker.store.blobs import Blobs
from deeptracker.store.log import LogWriter
from tests.browser.conftest import Open, ready, served

pytestmark = pytest.mark.browser


def test_the_list_shows_a_run_and_opens_it_by_keyboard_and_goes_back(show: Open) -> None:
    page = show("/")
    row = page.get_by_test_id("run-row")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("net")
    expect(row).to_contain_text("120")
    expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "finished")
    page.keyboard.press("/")
    page.keyboard.type("nothing like it")
    expect(row).to_have_count(0)
    page.get_by_test_id("run-search").fill("")
    row.get_by_text("net", exact=True).click()
    ready(page)
    page.wait_for_url("**/?run=net")
    expect(page.get_by_test_id("stage")).to_be_visible()
    page.go_back()
    expect(page.get_by_test_id("run-row")).to_be_visible()


def test_an_empty_folder_invites_to_record(page: Page, tmp_path: Path) -> None:
    with served(tmp_path) as base:
        page.goto(base)
        ready(page)
        empty = page.get_by_test_id("empty-runs")
        expect(empty).to_contain_text("deeptracker demo")
        expect(empty).to_contain_text("Recorder(")
        write_run(tmp_path / "first", Scale(3, 3, 4, 10, resnet50=False))
        expect(page.get_by_test_id("run-row")).to_contain_text("first")  # without a reload


def test_an_unreadable_run_says_what_is_wrong(page: Page, root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "net", tmp_path / "cut")
    whole = (tmp_path / "cut" / "run.json").read_bytes()
    (tmp_path / "cut" / "run.json").write_bytes(whole[:40])
    with served(tmp_path) as base:
        page.goto(base)
        ready(page)
        expect(page.get_by_test_id("run-problem")).to_contain_text("cut short or damaged")


def test_what_was_abandoned_when_training_was_resumed_is_opened_from_the_list_of_runs(
    page: Page, root: Path, tmp_path: Path
) -> None:
    place = tmp_path / "net"
    shutil.copytree(root / "net", place)
    info, iterations = open_run(place).info, open_run(place).iterations
    start = int(iterations[40])
    LogWriter(Blobs(place)).write_info(info.with_branch(Branch(start, "2026-01-01T00:00:00+00:00")))
    with served(tmp_path) as base:
        page.goto(f"{base}?run=net")
        ready(page)
        expect(page.get_by_test_id("dumps")).to_contain_text("41 dumps")
        expect(page.get_by_test_id("earlier-branches")).to_contain_text(f"until resumed from {start:,}")
        page.get_by_test_id("run-switcher").select_option("net@0")
        expect(page.get_by_test_id("dumps")).to_contain_text(f"{len(iterations)} dumps")
        page.get_by_test_id("run-switcher").select_option("net")
        expect(page.get_by_test_id("dumps")).to_contain_text("41 dumps")


def test_an_unknown_run_in_a_link_is_told_and_not_a_blank_page(page: Page, link: str, errors: list[str]) -> None:
    page.goto(f"{link}?run=nope")
    expect(page.get_by_test_id("failure").first).to_contain_text("no run 'nope'")
    assert all("404" in text for text in errors)
    errors.clear()


def test_a_guarded_server_asks_for_its_token_and_then_shows_the_page(page: Page, root: Path, errors: list[str]) -> None:
    from deeptracker.server.serving import Server

    server = Server(str(root), host="127.0.0.1", port=0, token="a-token-for-tests")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        plain = server.link.split("?")[0]
        page.goto(plain)
        page.get_by_label("Token").fill("a-token-for-tests")
        page.get_by_role("button").click()
        ready(page)
        expect(page.get_by_test_id("run-row")).to_have_count(1)
        assert "token" not in page.url
    finally:
        server.stop()
        thread.join()
    errors.clear()  # the browser reports the 401 that the question is
    assert access_for("127.0.0.1", None).token is None


def test_a_live_run_grows_on_the_page_and_keeps_what_was_chosen(page: Page, tmp_path: Path) -> None:
    dumps = write_dumps(tmp_path / "live", Scale(30, 4, 6, 100, resnet50=False), finished=False)
    for _ in range(6):
        next(dumps)
    with served(tmp_path) as base:
        page.goto(f"{base}?run=live&win=10&th=0")
        ready(page)
        expect(page.get_by_test_id("dumps")).to_contain_text("6")
        expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "live")
        page.get_by_test_id("cluster-0").click()
        opened = page.url
        for _ in dumps:
            pass
        expect(page.get_by_test_id("dumps")).to_contain_text("30")
        ready(page)
        assert page.url == opened


def test_a_view_that_was_left_goes_on_growing_when_it_is_shown_again(page: Page, tmp_path: Path) -> None:
    dumps = write_dumps(tmp_path / "live", Scale(30, 4, 6, 100, resnet50=False), finished=False)
    for _ in range(6):
        next(dumps)
    with served(tmp_path) as base:
        page.goto(f"{base}?run=live&th=1&win=2&open=0.1.2.3&c=0&l=0")
        ready(page)
        for key in "212":
            page.keyboard.press(key)
            ready(page)
            next(dumps)
        for _ in dumps:
            pass
        expect(page.get_by_test_id("dumps")).to_contain_text("30")
        page.keyboard.press("1")
        ready(page)
        found = open_run(tmp_path / "live").anomalies(2, 0.01)
        ours = found.dump[found.cls == 0]
        assert ours.max() > 9
        expect(page.get_by_test_id("anomaly")).to_have_count(min(12, len(ours)))
        expect(page.get_by_test_id("anomaly").last).to_have_attribute("data-dump", str(ours[:12][-1]))


def test_before_the_first_dump_the_page_says_when_to_expect_it(page: Page, tmp_path: Path) -> None:
    from dataclasses import replace

    from deeptracker.store.blobs import Blobs
    from deeptracker.store.log import LogReader, LogWriter

    dumps = write_dumps(tmp_path / "young", Scale(5, 3, 4, 10, resnet50=False), finished=False)
    next(dumps)
    shutil.rmtree(tmp_path / "young" / "log")
    blobs = Blobs(tmp_path / "young")
    LogWriter(blobs).write_info(replace(LogReader(blobs).info, next_iteration=1600))
    with served(tmp_path) as base:
        page.goto(f"{base}?run=young")
        expect(page.get_by_test_id("waiting")).to_contain_text("1,600")


def test_a_run_without_predictions_says_how_to_record_them(page: Page, root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "net", tmp_path / "weights")
    shutil.rmtree(tmp_path / "weights" / "samples")
    shutil.rmtree(tmp_path / "weights" / "log" / "predictions")
    with served(tmp_path) as base:
        page.goto(f"{base}?run=weights")
        expect(page.get_by_test_id("no-predictions")).to_contain_text("validation=")
