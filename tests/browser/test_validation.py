"""The Validation view: what it shows, and every way of working with it."""

import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from deeptracker import open_run
from tests.browser.conftest import Open, ready

pytestmark = pytest.mark.browser


def query(page: Page) -> dict[str, str]:
    """What the address says, asked of the page itself: `page.url` may lag behind a `pushState`."""
    search = page.evaluate("location.search").removeprefix("?")
    return {name: values[0] for name, values in parse_qs(search).items()}


def either_rule_fires(row: np.ndarray, dump: int, window: int) -> bool:
    """Does this sample flip at `dump`, with a left or a right run as long as the window? Written out literally."""
    if row[dump] == row[dump - 1]:
        return False
    left = right = 0
    while dump - 1 - left >= 0 and row[dump - 1 - left] == row[dump - 1]:
        left += 1
    while dump + right < len(row) and row[dump + right] == row[dump]:
        right += 1
    return max(left, right) >= window


def slide(page: Page, name: str, value: int) -> None:
    """Set a range input as a person does who lets go of it."""
    control = page.get_by_test_id(name)
    control.evaluate(
        "(input, value) => { input.value = value;"
        " input.dispatchEvent(new Event('input', {bubbles: true}));"
        " input.dispatchEvent(new Event('change', {bubbles: true})); }",
        str(value),
    )
    ready(page)


def test_clusters_open_into_classes_and_classes_into_images(show: Open, root: Path) -> None:
    page = show("/?run=net")
    assert page.locator("[data-testid^=cluster-]").count() == 4
    assert page.locator("[data-testid^=class-]:not([data-testid^=class-search])").count() == 0
    page.get_by_test_id("cluster-1").click()
    ready(page)
    run = open_run(root / "net")
    members = np.flatnonzero(run.clusters(4).assignment == 1)
    for c in members:
        expect(page.get_by_test_id(f"class-{c}")).to_be_visible()
    chosen = int(members[0])
    page.get_by_test_id(f"class-{chosen}").click()
    ready(page)
    expect(page.get_by_test_id(f"class-{chosen}")).to_have_attribute("aria-expanded", "true")
    assert page.get_by_test_id("thumbnail").count() >= 3
    assert query(page) == {"run": "net", "open": "1", "c": str(chosen)}
    page.go_back()
    ready(page)
    expect(page.get_by_test_id(f"class-{chosen}")).to_have_attribute("aria-expanded", "false")
    page.go_forward()
    expect(page.get_by_test_id(f"class-{chosen}")).to_have_attribute("aria-expanded", "true")


def test_a_link_restores_everything(show: Open) -> None:
    page = show("/?run=net&k=3&win=6&th=15&open=0-2&c=3.7&it=2000-12000&mark=4000&sort=name&rows=final")
    for name, value in (("clusters", "3"), ("window", "6"), ("score", "15")):
        expect(page.get_by_test_id(name)).to_have_value(value)
    expect(page.get_by_test_id("class-3")).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_test_id("rows")).to_have_value("final")
    expect(page.get_by_test_id("marks")).to_contain_text("4,000")
    expect(page.get_by_test_id("unzoom")).to_be_visible()


def test_garbage_in_a_link_is_ignored_and_never_breaks_the_page(show: Open) -> None:
    page = show(
        "/?run=net&k=-3&win=zz&th=1e9&open=%00&c=4-&it=9-2&br=x&mark=1.2.3-&s=-1&a=..&rows=up&sort=down&rh=99&x=1"
    )
    expect(page.get_by_test_id("stage")).to_be_visible()


def test_classes_in_a_link_that_do_not_exist_are_told(show: Open) -> None:
    page = show("/?run=net&open=0-3&c=2.99.100")
    expect(page.get_by_test_id("stale-link")).to_contain_text("2 of 3")


def test_a_slider_acts_on_release_and_a_ghost_count_follows_the_drag(show: Open, root: Path) -> None:
    page = show("/?run=net&win=10&th=35")
    run = open_run(root / "net")
    before = query(page)
    page.get_by_test_id("score").evaluate(
        "input => { input.value = 12; input.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    count = len(run.anomalies(10, 0.12).cls)
    expect(page.get_by_test_id("score-ghost")).to_contain_text(f"{count:,}")
    assert query(page) == before, "the link must not change during a drag"
    slide(page, "score", 12)
    assert query(page)["th"] == "12"
    page.go_back()
    expect(page.get_by_test_id("score")).to_have_value("35")


def test_changing_clusters_and_window_asks_anew(show: Open) -> None:
    page = show("/?run=net&win=10&th=35")
    slide(page, "clusters", 7)
    assert page.locator("[data-testid^=cluster-]").count() == 7
    slide(page, "window", 4)
    assert query(page) == {"run": "net", "k": "7", "win": "4", "th": "35"}


def test_no_anomaly_says_the_highest_score_and_offers_to_use_it(show: Open) -> None:
    page = show("/?run=net&th=100&win=60")
    notice = page.get_by_test_id("no-anomalies")
    expect(notice).to_contain_text("No class reaches score")
    expect(page.get_by_test_id("use-threshold")).to_contain_text("Use suggested", timeout=20_000)
    page.get_by_test_id("use-threshold").click()
    ready(page)
    expect(notice).to_have_count(0)
    assert query(page) == {"run": "net"}


def test_only_classes_with_anomalies_and_sorting(show: Open, root: Path) -> None:
    page = show("/?run=net&win=10&th=45&open=0-3&only=1")
    run = open_run(root / "net")
    found = sorted(set(run.anomalies(10, 0.45).cls.tolist()))
    shown = page.locator("[data-testid^=class-]:not([data-testid^=class-search])")
    assert {int(one.get_attribute("data-testid").split("-")[1]) for one in shown.all()} == set(found)
    page.get_by_test_id("sort-name").check(force=True)
    ready(page)
    assert query(page)["sort"] == "name"


def test_a_class_is_found_by_name_opened_and_scrolled_to(show: Open, root: Path) -> None:
    page = show("/?run=net")
    page.keyboard.press("/")
    page.keyboard.type("017")
    page.keyboard.press("Enter")
    ready(page)
    expect(page.get_by_test_id("class-17")).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_test_id("class-17")).to_be_in_viewport()


def test_a_row_shows_its_picture_and_what_it_was_taken_for(show: Open, root: Path) -> None:
    page = show("/?run=net&open=0-3&c=5")
    page.get_by_test_id("thumbnail").first.click()
    ready(page)
    detail = page.get_by_test_id("sample-detail")
    sample = int(detail.get_attribute("data-sample"))
    assert 150 <= sample < 180
    expect(detail).to_contain_text("class 005")
    picture = page.get_by_test_id("sample-picture")
    assert picture.evaluate("image => image.naturalWidth") == 32
    assert query(page)["s"] == str(sample)
    page.get_by_test_id("close-sample").click()
    expect(detail).to_have_count(0)


def test_the_view_goes_on_where_the_script_of_a_sample_does_not_come(show: Open, errors: list[str]) -> None:
    page = show("/?run=net&open=0-3&c=5")
    page.route("**/SampleDetail*.js", lambda route: route.abort())
    page.get_by_test_id("thumbnail").first.click()
    ready(page)
    failure = page.get_by_test_id("failure")
    expect(failure).to_contain_text("What is told of a sample")
    expect(page.get_by_test_id("sample-detail")).to_have_count(0)
    expect(page.get_by_test_id("class-5")).to_be_visible()
    assert errors == ["Failed to load resource: net::ERR_FAILED"]
    errors.clear()


def test_an_anomaly_shows_the_images_that_flipped(show: Open, root: Path) -> None:
    run = open_run(root / "net")
    found = run.anomalies(10, 0.35)
    c, dump = int(found.cls[0]), int(found.dump[0])
    page = show(f"/?run=net&win=10&th=35&open=0-3&c={c}&a={c}.{run.iterations[dump]}")
    correct = run.class_samples(c).predicted == c
    fires = [row for row in correct if either_rule_fires(row, dump, 10)]
    right = sum(int(row[dump]) for row in fires)
    wrong = len(fires) - right
    assert page.get_by_test_id("flipped-sample").count() == wrong + right
    if wrong:
        expect(page.get_by_test_id("became-wrong")).to_contain_text(str(wrong))
    if right:
        expect(page.get_by_test_id("became-right")).to_contain_text(str(right))


def test_the_keyboard_reaches_rows_marks_brushes_and_zooms(show: Open) -> None:
    page = show("/?run=net")
    page.get_by_test_id("stage-canvas").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_test_id("reading")).to_contain_text("6,000")
    page.keyboard.press("m")
    assert query(page)["mark"] == "6000"
    page.keyboard.press("b")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("b")
    assert re.fullmatch(r"6000-8\d00", query(page)["br"])
    page.keyboard.press("z")
    ready(page)
    assert "it" in query(page)
    page.keyboard.press("Backspace")
    ready(page)
    assert "it" not in query(page)
    page.keyboard.press("?")
    expect(page.get_by_test_id("help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("help")).to_be_hidden()


def test_dragging_brushes_iterations_with_one_entry_in_the_history(show: Open) -> None:
    page = show("/?run=net")
    box = page.get_by_test_id("stage-canvas").bounding_box()
    before = page.evaluate("history.length")
    y = box["y"] + 60
    page.mouse.move(box["x"] + 450, y)
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(box["x"] + 450 + 20 * step, y)
    assert "br" not in query(page)
    page.mouse.up()
    ready(page)
    start, end = map(int, query(page)["br"].split("-"))
    assert 0 < start < end
    assert page.evaluate("history.length") == before + 1
    page.get_by_test_id("zoom-to-brush").click()
    ready(page)
    assert "it" in query(page)


def test_exports_are_whole_files_named_after_run_and_view(show: Open, root: Path) -> None:
    page = show("/?run=net&win=10&th=35&open=1&c=5")
    run = open_run(root / "net")

    def export(kind: str) -> tuple[str, bytes]:
        page.get_by_test_id("export").click()
        with page.expect_download() as download:
            page.get_by_test_id(f"export-{kind}").click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    name, data = export("svg")
    assert name.startswith("net")
    assert name.endswith(".svg")
    assert ElementTree.fromstring(data).tag.endswith("svg")
    name, data = export("png")
    assert data.startswith(b"\x89PNG")
    name, data = export("classes")
    rows = list(csv.reader(io.StringIO(data.decode())))
    assert rows[0][:3] == ["class", "name", "0"]
    assert len(rows) == 24 + 1
    shown = np.array([[float(value) for value in row[2:]] for row in rows[1:]])
    assert np.abs(shown - run.error_rates()).max() < 0.005
    name, data = export("anomalies")
    found = run.anomalies(10, 0.35)
    assert len(list(csv.reader(io.StringIO(data.decode())))) == len(found.cls) + 1
    name, data = export("predictions")
    assert "val_000150" in data.decode()


def test_the_theme_follows_the_system_and_a_choice_is_kept(show: Open, page: Page, link: str) -> None:
    page = show("/?run=net")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_test_id("theme-toggle").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    page.reload()
    ready(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_a_part_that_fails_says_so_and_is_tried_again(page: Page, link: str, errors: list[str]) -> None:
    page.route("**/api/anomalies*", lambda route: route.fulfill(status=500, body="{}"))
    page.goto(f"{link}?run=net")
    failure = page.get_by_test_id("failure")
    expect(failure.first).to_contain_text("500")
    expect(page.get_by_test_id("cluster-0")).to_be_visible()  # the rest works
    page.unroute("**/api/anomalies*")
    page.get_by_test_id("retry").first.click()
    ready(page)
    expect(failure).to_have_count(0)
    errors.clear()


def test_what_is_drawn_is_the_data(show: Open, root: Path) -> None:
    """The colour of a cluster's stripe at its first and last dump is that of its error rate."""
    page = show("/?run=net")
    colours = page.evaluate(
        """() => {
          const canvas = document.querySelector('[data-testid=stage] canvas');
          const context = canvas.getContext('2d');
          const all = context.getImageData(0, 0, canvas.width, canvas.height).data;
          const seen = new Set();
          for (let i = 0; i < all.length; i += 4) seen.add(all[i] * 65536 + all[i + 1] * 256 + all[i + 2]);
          return seen.size;
        }"""
    )
    assert colours > 100
