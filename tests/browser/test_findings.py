"""What rules find in a run, with the way to the view that shows it; and the settings that are suggested."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from benchmarks.generate import Scale, write_dumps
from deeptracker import open_run
from tests.broken_runs import BrokenRun
from tests.browser.conftest import Open, ready, served
from tests.browser.test_validation import query, slide

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BrokenRun, str]]:
    """A live run that breaks in one layer, and goes on; and the link of its server."""
    place = tmp_path_factory.mktemp("broken")
    run = BrokenRun(place / "broken", {"conv1": 2})
    run.record(6)
    with served(place) as link:
        yield run, link


def test_a_finished_run_is_shown_with_the_setting_that_is_suggested(show: Open, root: Path) -> None:
    best = open_run(root / "net").suggestions()[0]
    page = show("/?run=net")
    origin = page.get_by_test_id("setting-origin")
    expect(origin).to_have_text("suggested", timeout=60_000)
    ready(page)
    expect(page.get_by_test_id("window")).to_have_value(str(best.window))
    expect(page.get_by_test_id("score")).to_have_value(f"{100 * best.threshold:.0f}")
    expect(page.get_by_test_id("anomaly-overview")).to_contain_text(f"{best.anomalies} anomal")
    assert query(page) == {"run": "net"}
    origin.click()
    expect(page.get_by_test_id("setting").first).to_contain_text(f"{best.anomalies} anomal")
    page.get_by_test_id("setting").nth(1).click()
    other = open_run(root / "net").suggestions()[1]
    assert query(page)["win"] == str(other.window)
    expect(origin).to_have_text("set")
    page.get_by_test_id("use-suggested").click()
    assert query(page) == {"run": "net"}
    expect(origin).to_have_text("suggested")


@pytest.mark.slow
def test_what_is_suggested_follows_a_live_run_and_what_is_set_stays(page: Page, tmp_path: Path) -> None:
    place = tmp_path / "live"
    dumps = write_dumps(place, Scale(60, 12, 20, 100, resnet50=False, pictures=False), finished=False)
    while next(dumps) < 5:
        pass
    with served(tmp_path) as base:
        page.goto(f"{base}?run=live")
        ready(page)
        expect(page.get_by_test_id("setting-origin")).to_have_text("usual")  # the record is too short
        expect(page.get_by_test_id("score")).to_have_value("35")
        for _ in dumps:
            pass
        best = open_run(place).suggestions()[0]
        expect(page.get_by_test_id("score")).to_have_value(f"{100 * best.threshold:.0f}", timeout=60_000)
        expect(page.get_by_test_id("window")).to_have_value(str(best.window))
        assert query(page) == {"run": "live"}
        slide(page, "score", 50)
        assert query(page) == {"run": "live", "win": str(best.window), "th": "50"}
        page.keyboard.press("4")
        ready(page)
        expect(page.get_by_test_id("score")).to_have_value("50")
        page.get_by_test_id("restriction-setting").click()
        expect(page.get_by_test_id("score")).to_have_value(f"{100 * best.threshold:.0f}")


def test_a_finding_opens_the_view_that_shows_it(page: Page, broken: tuple[BrokenRun, str]) -> None:
    run, link = broken
    all_found = open_run(run.place).findings()
    found = next(one for one in all_found if one.kind == "not-finite")
    page.goto(f"{link}?run=broken")
    ready(page)
    button = page.get_by_test_id("findings-button")
    expect(button).to_contain_text(str(len(all_found)), timeout=60_000)
    expect(button).to_have_attribute("data-severity", "high")
    page.keyboard.press("f")
    card = card_of(page, found.key)
    if card.get_by_test_id("finding-title").get_attribute("aria-expanded") == "false":
        card.get_by_test_id("finding-title").click()
    for words in (found.about.title, found.text, found.evidence, found.about.meaning, found.about.remedy):
        expect(card).to_contain_text(words)
    card.get_by_test_id("show-finding").click()
    ready(page)
    expect(page.get_by_test_id("view-layers")).to_have_attribute("aria-current", "page")
    seen = query(page)
    assert (seen["find"], seen["stat"], seen["l"]) == (found.key, "nonfinite", "0")
    assert int(seen["br"].split("-")[0]) == found.place.first
    page.get_by_test_id("findings").get_by_test_id("copy").last.click()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert [one["key"] for one in copied] == [one.key for one in all_found]
    page.keyboard.press("f")
    expect(page.get_by_test_id("findings")).to_have_count(0)
    page.go_back()
    expect(card).to_be_visible()


def card_of(page: Page, key: str) -> Locator:
    return page.locator(f"[data-testid=finding][data-key='{key}']")


@pytest.mark.slow
def test_a_finding_that_comes_while_the_run_grows_is_new_until_it_was_seen(page: Page, tmp_path: Path) -> None:
    run = BrokenRun(tmp_path / "broken", {"fc": 8})
    run.record(6)
    with served(tmp_path) as link:
        page.goto(f"{link}?run=broken")
        ready(page)
        button = page.get_by_test_id("findings-button")
        expect(button).to_contain_text(str(len(open_run(run.place).findings())), timeout=60_000)
        run.record(12)
        expect(button).to_contain_text("new", timeout=60_000)
        button.click()
        expect(card_of(page, "not-finite.l2")).to_contain_text("new")
        button.click()
        expect(button).not_to_contain_text("new")


def test_that_nothing_is_found_is_said(page: Page, broken: tuple[BrokenRun, str]) -> None:
    nothing = json.dumps({"findings": [], "kinds": 27, "dumps": 6, "iteration": 50, "branch": 0})
    page.route("**/api/findings*", lambda route: route.fulfill(body=nothing, content_type="application/json"))
    page.goto(f"{broken[1]}?run=broken&find=all")
    expect(page.get_by_test_id("no-findings")).to_contain_text("27 rules looked, nothing found")
    expect(page.get_by_test_id("findings-button")).to_contain_text("0")


def test_looking_that_fails_is_told_and_tried_again(
    page: Page, broken: tuple[BrokenRun, str], errors: list[str]
) -> None:
    _, link = broken
    page.route("**/api/findings*", lambda route: route.fulfill(status=500, body="{}"))
    page.goto(f"{link}?run=broken&find=not-finite.l7")
    failure = page.get_by_test_id("findings").get_by_test_id("failure")
    expect(failure).to_contain_text("500")
    page.unroute("**/api/findings*")
    failure.get_by_test_id("retry").click()
    expect(card_of(page, "not-finite.l0")).to_be_visible(timeout=60_000)
    expect(page.get_by_test_id("lost-finding")).to_be_visible()
    errors.clear()  # the browser reports the 500 that was provoked
