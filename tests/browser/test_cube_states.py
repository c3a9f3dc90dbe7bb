"""What the cube says of runs with little or much to show, of links that do not fit, and of a face that fails."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from tests.browser.conftest import Minis, ShowCube, ready
from tests.browser.exploring import RUN, VIEW, seek
from tests.browser.planted_groups import GROUPS, NAMES
from tests.browser.test_validation import query

pytestmark = pytest.mark.browser


def test_no_anomaly_says_the_highest_score_and_offers_to_use_it(cube: ShowCube) -> None:
    page = cube(f"{RUN}&win=10&th=100")
    notice = page.get_by_test_id("no-anomalies")
    expect(notice).to_contain_text(re.compile(r"No class reaches score 100 % with window 10\. Highest is \d+ % \("))
    expect(page.get_by_test_id("use-threshold")).to_contain_text("Use suggested", timeout=20_000)
    page.get_by_test_id("use-threshold").click()
    ready(page)
    expect(notice).to_have_count(0)
    assert not {"win", "th"} & set(query(page))
    expect(page.get_by_test_id("setting-origin")).to_have_text("suggested")


def test_each_thing_that_hides_everything_can_be_taken_back(cube: ShowCube) -> None:
    page = cube(f"{VIEW}&min=60")
    notice = page.get_by_test_id("no-anomalies")
    expect(notice).to_contain_text("60 times or more")
    page.get_by_test_id("use-threshold").click()
    ready(page)
    assert "min" not in query(page)
    page = cube(f"{VIEW}&above=50")
    expect(notice).to_contain_text("No filter moved further than 50")
    page.get_by_test_id("use-threshold").click()
    ready(page)
    assert "above" not in query(page)
    page = cube(f"{VIEW}&it=0-2000")
    expect(notice).to_contain_text("leave none of the 16 classes")
    page.get_by_test_id("use-threshold").click()
    ready(page)
    assert "it" not in query(page)


def lonely(explored: Path) -> int:
    """A threshold, in per cent, that one class alone reaches."""
    found = open_run(explored / "planted").anomalies(10, 0)
    best = [int(100 * np.maximum(found.left, found.right)[found.cls == cls].max()) for cls in range(len(NAMES))]
    first, second = sorted(best)[-1:-3:-1]
    assert first > second
    return first


def test_runs_with_little_or_much_say_what_they_are_and_what_to_do(cube: ShowCube, explored: Path) -> None:
    page = cube("?run=one-dump&view=cube")
    expect(page.get_by_test_id("no-anomalies")).to_contain_text("one dump")
    expect(page.get_by_test_id("no-anomalies")).to_contain_text("Record more often")
    page = cube("?run=one-class&view=cube")
    expect(page.get_by_test_id("no-anomalies")).to_contain_text("This run has one class")
    page = cube(f"{RUN}&win=10&th={lonely(explored)}")
    expect(page.get_by_test_id("advice")).to_contain_text("Only one class has anomaly iterations")
    page.get_by_test_id("use-threshold").click()
    ready(page)
    expect(page.get_by_test_id("advice")).to_have_count(0)
    page = cube("?run=many&view=cube&th=3&win=2")
    columns = len(open_run(explored / "many").anomalies(2, 0.03).cls)
    assert columns > 2000
    expect(page.get_by_test_id("limits")).to_contain_text("Counts in place of mini-sets")
    page.get_by_test_id("use-threshold").click()
    ready(page)
    assert int(query(page)["th"]) > 3


def test_a_run_without_a_network_says_what_to_record(cube: ShowCube, explored: Path, errors: list[str]) -> None:
    write_run(explored / "no-network", Scale(3, 2, 4, 10, resnet50=False, pictures=False))
    (explored / "no-network" / "network.json").unlink()
    page = cube("?run=no-network&view=cube")
    expect(page.get_by_test_id("no-filters")).to_contain_text("no filter statistics")
    expect(page.get_by_test_id("failure")).to_have_count(0)
    errors.clear()  # the browser reports the 404


def test_what_a_link_names_and_the_run_does_not_have_is_told(cube: ShowCube, minis: Minis) -> None:
    known = [minis[group.layer, group.filters] for group in GROUPS]
    page = cube(f"{VIEW}&mini=000000000001.{'.'.join(known)}.ffffffffffff&pc=0.99&rc=1-3.77")
    lost = page.get_by_test_id("stale-link")
    expect(lost).to_contain_text("1 of 2 classes in this link does not exist")
    expect(lost).to_contain_text("1 of 4 classes that this link is restricted to does not exist")
    page.get_by_test_id("restriction-classes").click()
    expect(lost).to_contain_text("2 of 5 mini-sets in this link do not exist in this run")
    assert query(page)["mini"] == ".".join(known)


def test_a_face_that_fails_says_so_and_the_others_go_on(page: Page, explored_link: str, errors: list[str]) -> None:
    page.route("**/api/correlation-rows*", lambda route: route.fulfill(status=500, body="{}"))
    page.goto(f"{explored_link}{VIEW}")
    ready(page)
    failure = page.get_by_test_id("failure")
    expect(failure).to_contain_text("The anomaly filters over time could not be loaded")
    expect(failure).to_contain_text("500")
    seek(page, "right", cls=0)
    page.unroute("**/api/correlation-rows*")
    page.get_by_test_id("retry").click()
    ready(page)
    expect(failure).to_have_count(0)
    errors.clear()
