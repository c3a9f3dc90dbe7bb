"""The cube and the Correlation view: the paper's three ways of exploring (7.4), restrictions, files, what is said."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.run.correlation import Movers
from tests.browser.conftest import Open, ready, served
from tests.browser.planted_groups import EVERY, GROUPS, NAMES, TOP, write_planted
from tests.browser.test_validation import query, slide

pytestmark = pytest.mark.browser

GONG, SKY, BUSH = GROUPS
VIEW = f"?run=planted&view=cube&top={TOP}"
Step = Callable[[str], None]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs to explore: one with planted groups, and some that have little or much to show."""
    root = tmp_path_factory.mktemp("explored")
    write_planted(root / "planted")
    write_run(root / "one-dump", Scale(1, 4, 10, 100, resnet50=False, pictures=False), seed=1)
    write_run(root / "one-class", Scale(20, 1, 10, 100, resnet50=False, pictures=False), seed=4)
    write_run(root / "many", Scale(180, 40, 12, 100, resnet50=False, pictures=False), seed=2)
    return root


@pytest.fixture(scope="module")
def base(place: Path) -> Iterator[str]:
    with served(place) as link:
        yield link


@pytest.fixture
def cube(show: Open, base: str) -> Callable[[str], Page]:
    """Open a view of these runs, and wait until its picture is complete."""
    return lambda search: show(f"/{search}", base=base)


@pytest.fixture
def step(page: Page, tmp_path: Path) -> Step:
    """Keep a picture of a step of the exploration; nothing in it leaves the cube."""
    number = iter(range(1, 99))

    def step(name: str) -> None:
        ready(page)
        assert query(page)["view"] == "cube"
        page.screenshot(path=tmp_path / f"{next(number)}-{name}.png")

    return step


@pytest.fixture(scope="module")
def minis(place: Path) -> dict[tuple[str, tuple[int, ...]], str]:
    """The id of each mini-set, by its layer and filters."""
    run = open_run(place / "planted")
    found = run.correlation(movers=Movers(TOP))
    layers = [layer.name for layer in run.network().layers]
    out = {}
    for number, id in enumerate(found.sets.id):
        filters = tuple(found.filters.filters[found.filters.sets == number].tolist())
        out[layers[found.filters.layers[found.sets.layer[number]]], filters] = f"{int(id):012x}"
    return out


SEEK = """async ([face, along, across, steps]) => {
  const panel = document.querySelector(`[data-testid=face-${face}]`);
  const canvas = document.querySelector('[data-testid=stage-canvas]');
  const cube = document.querySelector('[data-testid=cube]');
  const box = cube.getBoundingClientRect();
  const matrix = new DOMMatrix(getComputedStyle(panel).transform);
  const at = (u, v) => {
    const { x, y } = matrix.transformPoint(new DOMPoint(u * panel.offsetWidth, v * panel.offsetHeight));
    return [x + box.left, y + box.top];
  };
  const hitAt = async (u, v) => {
    const [clientX, clientY] = at(u, v);
    canvas.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY, pointerId: 1, bubbles: true }));
    await Promise.resolve();
    return JSON.parse(cube.dataset.hit || '{}');
  };
  const middle = async (wanted, place) => {
    const found = [];
    for (let i = 0; i < steps; i++) {
      const share = (i + 0.5) / steps;
      const hit = await hitAt(...place(share));
      if (Object.entries(wanted).every(([key, value]) => hit[key] === value)) found.push(share);
      else if (found.length > 0) break;
    }
    return found[Math.floor(found.length / 2)];
  };
  const v = await middle(across, (share) => [0.5, share]);
  if (v === undefined) return null;
  const u = await middle(along, (share) => [share, v]);
  return u === undefined ? null : at(u, v);
}"""
"""Look across the rows of a face, then along one: the middle of what is wanted."""

ROWS = {"right": ("set", "layer", "filter"), "front": ("set", "layer", "filter"), "top": ("cls",)}


def seek(page: Page, face: str, **wanted: Any) -> tuple[float, float]:
    """Move to the place of a face where what lies under the pointer is as wanted."""
    across = {key: value for key, value in wanted.items() if key in ROWS[face]}
    along = {key: value for key, value in wanted.items() if key not in across}
    place = page.evaluate(SEEK, [face, along, across, 600])
    assert place, f"nothing on the {face} is {wanted}"
    page.mouse.move(*place)
    hit = json.loads(page.get_by_test_id("cube").get_attribute("data-hit") or "{}")
    assert hit | wanted == hit
    return place[0], place[1]


def number_of(place: Path, mini: str) -> int:
    """Where the answer to the link VIEW lists a mini-set."""
    ids = open_run(place / "planted").correlation(movers=Movers(TOP)).sets.id
    return int(np.flatnonzero(ids == int(mini, 16))[0])


def reading(page: Page) -> dict[str, str]:
    """What the panel says of the place under the pointer."""
    section = page.get_by_test_id("reading")
    return dict(zip(section.locator("dt").all_inner_texts(), section.locator("dd").all_inner_texts(), strict=True))


def choose(page: Page, option: str) -> None:
    """Click one of a few that are seen at once: its label covers the radio button."""
    page.get_by_test_id(option).locator("..").click()


def names(section: Locator) -> list[str]:
    return [text.strip() for text in section.all_inner_texts()]


def test_p1_from_filters_to_the_classes_they_impact(
    cube: Callable[[str], Page], place: Path, minis: dict[tuple[str, tuple[int, ...]], str], step: Step
) -> None:
    page = cube(VIEW)
    step("activated layers")
    mini = minis[SKY.layer, SKY.filters]
    x, y = seek(page, "front", set=number_of(place, mini))
    expect(page.get_by_test_id("reading")).to_contain_text("3 filters")
    said = reading(page)
    assert said["Layer"] == SKY.layer
    assert said["Filter"] in [f"#{filter}" for filter in SKY.filters]
    assert said["Appears in"].startswith(f"{len(SKY.dumps)} it.")
    step("a filter is followed to the right")
    page.mouse.click(x, y)
    step("pinned")
    assert query(page)["mini"] == mini
    hit = page.get_by_test_id("mini-classes").locator("tbody tr")
    significant = hit.filter(has=page.locator("td.significant"))
    assert names(significant.get_by_test_id("hit-class")) == [NAMES[cls] for cls in SKY.classes]
    images = page.get_by_test_id("class-images").evaluate_all("all => all.map((one) => Number(one.dataset.class))")
    assert tuple(images[: len(SKY.classes)]) == SKY.classes
    expect(page.locator("[data-testid=class-images] img").first).to_be_visible()
    page.get_by_test_id("hit-class").first.click()
    assert query(page)["pc"] == str(SKY.classes[0])
    seek(page, "top", cls=SKY.classes[0], isHit=True)
    said = reading(page)
    assert said["Class"] == NAMES[SKY.classes[0]]
    assert int(said["Iteration"].split(" ")[0].replace(",", "")) % EVERY == 0
    step("the class and its anomaly iterations")


def test_p2_from_anomaly_iterations_to_the_filters_that_move(
    cube: Callable[[str], Page], place: Path, minis: dict[tuple[str, tuple[int, ...]], str], step: Step
) -> None:
    page = cube(VIEW)
    cls, (first, second) = GONG.classes[0], GONG.dumps[:2]
    page.mouse.click(*seek(page, "top", cls=cls, dump=first, isHit=True))
    at = seek(page, "top", cls=cls, dump=second, isHit=True)
    page.keyboard.down("Shift")
    page.mouse.click(*at)
    page.keyboard.up("Shift")
    assert query(page)["mark"] == f"{first * EVERY}.{second * EVERY}"
    step("anomaly iterations are marked")
    mini = minis[GONG.layer, GONG.filters]
    at = seek(page, "right", cls=cls, dump=first, set=number_of(place, mini), isHit=True)
    said = reading(page)
    assert said["Hits"] == f"{len(GONG.dumps)} of {len(GONG.dumps) + 1}, beyond chance"
    step("a rectangle in the column")
    page.keyboard.down("Shift")
    page.mouse.click(*at)
    page.keyboard.up("Shift")
    assert query(page)["mini"] == mini
    assert query(page)["mark"] == f"{first * EVERY}.{second * EVERY}"
    chosen = page.get_by_test_id("mini-set")
    expect(chosen).to_contain_text(GONG.layer)
    expect(chosen).to_contain_text("#7, #21")
    seek(page, "front", set=number_of(place, mini), dump=second)
    assert reading(page)["change (relative, l2)"] == "100 % of its largest"
    step("the filters at the marked iteration")


def test_p3_from_a_mini_set_to_filters_and_classes(
    cube: Callable[[str], Page], place: Path, minis: dict[tuple[str, tuple[int, ...]], str], step: Step
) -> None:
    page = cube(VIEW)
    page.get_by_test_id("significant").check()
    ready(page)
    found = open_run(place / "planted").correlation(movers=Movers(TOP)).extent
    planted = sum(len(group.filters) for group in GROUPS)
    expect(page.get_by_test_id("facts")).to_contain_text(f"3 of {found.layers} · {planted} of {found.filters}")
    step("what chance does not explain")
    shared = page.get_by_test_id("shared-set")
    expect(shared).to_have_count(2)
    shared.first.click()
    assert query(page)["mini"] == minis[SKY.layer, SKY.filters]
    expect(page.get_by_test_id("class-images")).to_have_count(len(SKY.classes))
    step("a mini-set that many classes share")
    recurring = page.get_by_test_id("recurring").first
    expect(recurring).to_contain_text("gong")
    recurring.click(modifiers=["Shift"])
    both = page.get_by_test_id("shared")
    expect(both).to_contain_text(f"0 of {len(SKY.dumps) + len(GONG.dumps)} iterations")
    expect(both).to_contain_text(f"0 of {len(SKY.classes) + 1} classes")
    assert query(page)["mini"] == f"{minis[SKY.layer, SKY.filters]}.{minis[GONG.layer, GONG.filters]}"
    step("compared with one that recurs within a class")
    page.keyboard.press("c")
    expect(page.get_by_test_id("cube")).to_have_attribute("data-layout", "flat")
    step("the same without skew")


def test_restrictions_hold_in_all_views_and_are_taken_back_in_any(cube: Callable[[str], Page]) -> None:
    search = "&win=9&th=40&rule=left&it=3000-29000&rc=0-4&rl=0.5&min=2&sig=1"
    page = cube(f"{VIEW}{search}")
    chips = page.get_by_test_id("restrictions")
    of = ["iterations", "classes", "layers", "window", "score", "rule", "top", "appears", "significant"]
    for view in ("cube", "correlation", "layers", "validation"):
        page.get_by_test_id(f"view-{view}").click()
        ready(page)
        for chip in of:
            expect(chips.get_by_test_id(f"restriction-{chip}")).to_be_visible()
    shown = page.locator("button[data-testid^=class-][aria-expanded]")
    assert sorted(shown.evaluate_all("all => all.map((one) => one.dataset.testid)")) == [
        f"class-{cls}" for cls in range(5)
    ]
    page.get_by_test_id("view-layers").click()
    ready(page)
    charts = page.locator("[data-testid^=chart-][data-name]")
    assert charts.evaluate_all("all => all.map((one) => one.dataset.name)") == ["conv1", "layer2.0.conv1"]
    chips.get_by_test_id("restriction-layers").click()
    ready(page)
    assert "rl" not in query(page)
    assert charts.count() > 2
    page.get_by_test_id("view-validation").click()
    ready(page)
    chips.get_by_test_id("restriction-classes").click()
    assert "rc" not in query(page)
    page.get_by_test_id("remove-restrictions").click()
    ready(page)
    expect(chips).to_have_count(0)
    assert query(page) == {"run": "planted"}
    page.go_back()
    expect(chips.get_by_test_id("restriction-score")).to_be_visible()


def test_a_drag_on_the_correlation_restricts_layers_and_classes(cube: Callable[[str], Page]) -> None:
    page = cube(VIEW)
    x0, y0 = seek(page, "right", cls=0)
    x1, y1 = seek(page, "right", cls=3)
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2)
    page.mouse.move(x1, y1)
    page.mouse.up()
    ready(page)
    assert query(page)["rc"] == "0-3"
    expect(page.get_by_test_id("restriction-classes")).to_have_text("Only 4 classes")
    expect(page.get_by_test_id("facts")).to_contain_text("4 of 16")


def test_sliders_act_on_release_and_a_ghost_says_what_is_known(cube: Callable[[str], Page], place: Path) -> None:
    page = cube(VIEW)
    run = open_run(place / "planted")
    before = query(page)
    drag = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', {bubbles: true})); }"
    page.get_by_test_id("score").evaluate(drag, "80")
    expect(page.get_by_test_id("score-ghost")).to_have_text(f"{len(run.anomalies(10, 0.8).cls)} anomalies")
    page.get_by_test_id("appears").evaluate(drag, "4")
    sets = run.correlation(movers=Movers(TOP), min_appearances=4).sets.id
    expect(page.get_by_test_id("appears-ghost")).to_have_text(f"{len(sets)} mini-sets")
    assert query(page) == before, "the link must not change during a drag"
    slide(page, "appears", 4)
    assert query(page)["min"] == "4"
    page.get_by_test_id("appears").evaluate(drag, "2")
    expect(page.get_by_test_id("appears-ghost")).to_have_text(f"{len(sets)} mini-sets or more")


def test_filters_are_taken_by_number_or_beyond_a_limit(cube: Callable[[str], Page], place: Path) -> None:
    page = cube(VIEW)
    page.get_by_test_id("movers").select_option("above")
    page.get_by_test_id("above").wait_for()
    ready(page)
    limited = open_run(place / "planted").correlation(movers=Movers(above=float(query(page)["above"]))).extent
    expect(page.get_by_test_id("facts")).to_contain_text(f"{limited.layers} · {limited.filters}")
    page.get_by_test_id("above").fill("1.3")
    page.get_by_test_id("above").press("Enter")
    ready(page)
    extent = open_run(place / "planted").correlation(movers=Movers(above=1.3)).extent
    assert extent.filters < limited.filters
    expect(page.get_by_test_id("facts")).to_contain_text(f"{extent.layers} · {extent.filters}")
    page.get_by_test_id("movers").select_option("top")
    ready(page)
    assert "above" not in query(page)
    page.get_by_test_id("distance").select_option("euclidean")
    ready(page)
    assert query(page)["dist"] == "euclidean"


def test_the_correlation_view_is_the_right_face_alone_with_the_same_selection(
    cube: Callable[[str], Page], minis: dict[tuple[str, tuple[int, ...]], str]
) -> None:
    page = cube(f"{VIEW}&mini={minis[BUSH.layer, BUSH.filters]}")
    page.keyboard.press("3")
    ready(page)
    expect(page.get_by_test_id("cube")).to_have_attribute("data-layout", "right")
    expect(page.get_by_test_id("mini-set")).to_contain_text(BUSH.layer)
    choose(page, "cells-counts")
    ready(page)
    expect(page.get_by_test_id("legend")).to_contain_text("≥ 12")
    page.keyboard.press("4")
    ready(page)
    for layout in ("flat", "front", "top", "cube"):
        choose(page, f"layout-{layout}")
        ready(page)
        expect(page.get_by_test_id("cube")).to_have_attribute("data-layout", layout)
    assert query(page)["cells"] == "counts"


def test_a_reading_can_be_copied(cube: Callable[[str], Page]) -> None:
    page = cube(VIEW)
    seek(page, "top", cls=5)
    page.get_by_test_id("copy-reading").click()
    assert "Class\tquail" in page.evaluate("navigator.clipboard.readText()")


def test_exports_are_whole_files_of_what_is_selected(
    cube: Callable[[str], Page], place: Path, minis: dict[tuple[str, tuple[int, ...]], str]
) -> None:
    page = cube(VIEW)

    def export(kind: str) -> tuple[str, bytes]:
        page.get_by_test_id("export").click()
        with page.expect_download() as download:
            page.get_by_test_id(f"export-{kind}").click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def table(kind: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(export(kind)[1].decode())))

    found = open_run(place / "planted").correlation(movers=Movers(TOP))
    name, data = export("svg")
    assert re.fullmatch(r"planted-cube-0-31800\.svg", name)
    assert ElementTree.fromstring(data).tag.endswith("svg")
    text = data.decode()
    assert "font/woff2" in text
    assert "Correlation view" in text
    _, data = export("png")
    width = page.get_by_test_id("cube").bounding_box()["width"]
    assert int.from_bytes(data[16:20], "big") == round(2 * width)
    assert len(table("mini-sets")) == 1 + len(found.sets.id)
    assert len(table("pairs")) == 1 + len(found.pairs.set)
    columns = table("columns")
    assert len(columns) == 1 + len(found.columns.dumps)
    assert [int(row[2]) for row in columns[1:]] == found.columns.dumps.tolist()
    page.goto(page.url + f"&mini={minis[GONG.layer, GONG.filters]}")
    ready(page)
    (row,) = table("mini-sets")[1:]
    assert row[:4] == [minis[GONG.layer, GONG.filters], GONG.layer, "7 21", "5"]
    assert row[4] == " ".join(str(dump * EVERY) for dump in GONG.dumps)


def test_no_anomaly_says_the_highest_score_and_offers_to_use_it(cube: Callable[[str], Page]) -> None:
    page = cube(f"{VIEW}&th=100")
    notice = page.get_by_test_id("no-anomalies")
    expect(notice).to_contain_text(re.compile(r"No class reaches score 100 % with window 10\. Highest is \d+ % \("))
    page.get_by_test_id("use-threshold").click()
    ready(page)
    expect(notice).to_have_count(0)
    assert int(query(page)["th"]) < 100


def test_each_thing_that_hides_everything_can_be_taken_back(cube: Callable[[str], Page]) -> None:
    page = cube(f"{VIEW}&min=60")
    notice = page.get_by_test_id("no-anomalies")
    expect(notice).to_contain_text("60 times or more")
    page.get_by_test_id("use-threshold").click()
    ready(page)
    assert "min" not in query(page)
    page = cube("?run=planted&view=cube&above=50")
    expect(notice).to_contain_text("No filter moved further than 50")
    page.get_by_test_id("use-threshold").click()
    ready(page)
    assert "above" not in query(page)
    page = cube(f"{VIEW}&it=0-2000")
    expect(notice).to_contain_text("leave none of the 16 classes")
    page.get_by_test_id("use-threshold").click()
    ready(page)
    assert "it" not in query(page)


def lonely(place: Path) -> int:
    """A threshold, in per cent, that one class alone reaches."""
    found = open_run(place / "planted").anomalies(10, 0)
    best = [int(100 * np.maximum(found.left, found.right)[found.cls == cls].max()) for cls in range(len(NAMES))]
    first, second = sorted(best)[-1:-3:-1]
    assert first > second
    return first


def test_runs_with_little_or_much_say_what_they_are_and_what_to_do(cube: Callable[[str], Page], place: Path) -> None:
    page = cube("?run=one-dump&view=cube")
    expect(page.get_by_test_id("no-anomalies")).to_contain_text("one dump")
    expect(page.get_by_test_id("no-anomalies")).to_contain_text("Record more often")
    page = cube("?run=one-class&view=cube")
    expect(page.get_by_test_id("no-anomalies")).to_contain_text("This run has one class")
    page = cube(f"{VIEW}&th={lonely(place)}")
    expect(page.get_by_test_id("advice")).to_contain_text("Only one class has anomaly iterations")
    page.get_by_test_id("use-threshold").click()
    ready(page)
    expect(page.get_by_test_id("advice")).to_have_count(0)
    page = cube("?run=many&view=cube&th=3&win=2")
    columns = len(open_run(place / "many").anomalies(2, 0.03).cls)
    assert columns > 2000
    expect(page.get_by_test_id("limits")).to_contain_text("Counts in place of mini-sets")
    page.get_by_test_id("use-threshold").click()
    ready(page)
    assert int(query(page)["th"]) > 3


def test_a_run_without_a_network_says_what_to_record(
    cube: Callable[[str], Page], place: Path, errors: list[str]
) -> None:
    write_run(place / "no-network", Scale(3, 2, 4, 10, resnet50=False, pictures=False))
    (place / "no-network" / "network.json").unlink()
    page = cube("?run=no-network&view=cube")
    expect(page.get_by_test_id("no-filters")).to_contain_text("no filter statistics")
    expect(page.get_by_test_id("failure")).to_have_count(0)
    errors.clear()  # the browser reports the 404


def test_what_a_link_names_and_the_run_does_not_have_is_told(
    cube: Callable[[str], Page], minis: dict[tuple[str, tuple[int, ...]], str]
) -> None:
    known = [minis[group.layer, group.filters] for group in GROUPS]
    page = cube(f"{VIEW}&mini=000000000001.{'.'.join(known)}.ffffffffffff&pc=0.99&rc=1-3.77")
    lost = page.get_by_test_id("stale-link")
    expect(lost).to_contain_text("1 of 2 classes in this link does not exist")
    expect(lost).to_contain_text("1 of 4 classes that this link is restricted to does not exist")
    page.get_by_test_id("restriction-classes").click()
    expect(lost).to_contain_text("2 of 5 mini-sets in this link do not exist in this run")
    assert query(page)["mini"] == ".".join(known)


def test_a_face_that_fails_says_so_and_the_others_go_on(page: Page, base: str, errors: list[str]) -> None:
    page.route("**/api/correlation-rows*", lambda route: route.fulfill(status=500, body="{}"))
    page.goto(f"{base}{VIEW}")
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
