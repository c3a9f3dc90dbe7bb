"""The cube and the Correlation view: the paper's three ways of exploring (7.4), restrictions, controls, files."""

import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deeptracker import open_run
from deeptracker.run.correlation import Movers
from tests.browser.conftest import Minis, ShowCube, ready
from tests.browser.exploring import RUN, VIEW, choose, names, number_of, reading, seek
from tests.browser.planted_groups import EVERY, GROUPS, NAMES, TOP
from tests.browser.test_validation import query, slide

pytestmark = pytest.mark.browser

GONG, SKY, BUSH = GROUPS
Step = Callable[[str], None]


@pytest.fixture
def step(page: Page, tmp_path: Path) -> Step:
    """Keep a picture of a step of the exploration; nothing in it leaves the cube."""
    number = iter(range(1, 99))

    def step(name: str) -> None:
        ready(page)
        assert query(page)["view"] == "cube"
        page.screenshot(path=tmp_path / f"{next(number)}-{name}.png")

    return step


def test_p1_from_filters_to_the_classes_they_impact(cube: ShowCube, explored: Path, minis: Minis, step: Step) -> None:
    page = cube(VIEW)
    step("activated layers")
    mini = minis[SKY.layer, SKY.filters]
    x, y = seek(page, "front", set=number_of(explored, mini))
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
    cube: ShowCube, explored: Path, minis: Minis, step: Step
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
    at = seek(page, "right", cls=cls, dump=first, set=number_of(explored, mini), isHit=True)
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
    seek(page, "front", set=number_of(explored, mini), dump=second)
    assert reading(page)["change (relative, l2)"] == "100 % of its largest"
    step("the filters at the marked iteration")


def test_p3_from_a_mini_set_to_filters_and_classes(cube: ShowCube, explored: Path, minis: Minis, step: Step) -> None:
    page = cube(VIEW)
    page.get_by_test_id("significant").check()
    ready(page)
    found = open_run(explored / "planted").correlation(movers=Movers(TOP)).extent
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


def test_restrictions_hold_in_all_views_and_are_taken_back_in_any(cube: ShowCube) -> None:
    search = "&win=9&th=40&rule=left&it=3000-29000&rc=0-4&rl=0.5&min=2&sig=1"
    page = cube(f"{RUN}{search}")
    chips = page.get_by_test_id("restrictions")
    of = ["iterations", "classes", "layers", "setting", "rule", "top", "appears", "significant"]
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
    expect(chips.get_by_test_id("restriction-top")).to_have_text(f"Top {TOP} filters")
    expect(chips.get_by_test_id("restriction-classes")).to_have_text("Only 5 classes · not here")
    page.get_by_test_id("view-validation").click()
    ready(page)
    chips.get_by_test_id("restriction-classes").click()
    assert "rc" not in query(page)
    page.get_by_test_id("remove-restrictions").click()
    ready(page)
    expect(chips).to_have_count(0)
    assert query(page) == {"run": "planted"}
    page.go_back()
    expect(chips.get_by_test_id("restriction-setting")).to_be_visible()


def test_header_and_controls_take_two_rows_where_it_is_narrow(cube: ShowCube, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    cube(f"{RUN}&win=10&th=36")
    assert page.locator("header").bounding_box()["height"] <= 96
    overflow = "all => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.className)"
    assert page.locator("header, header .title, header .actions, header .controls > *").evaluate_all(overflow) == []


def test_layers_are_found_by_name_as_classes_are(cube: ShowCube) -> None:
    page = cube(VIEW)
    page.keyboard.press("/")
    page.keyboard.type(BUSH.layer)
    expect(page.get_by_test_id("layer-search-option")).to_have_text(f"{BUSH.layer}layer")
    page.keyboard.press("Enter")
    ready(page)
    expect(page.get_by_test_id("restriction-layers")).to_have_text(f"Only {BUSH.layer}")
    page.keyboard.press("/")
    page.keyboard.type("gong")
    page.keyboard.press("Enter")
    ready(page)
    assert query(page)["pc"] == "0"


def test_a_drag_on_the_correlation_restricts_layers_and_classes(cube: ShowCube) -> None:
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


def test_sliders_act_on_release_and_a_ghost_says_what_is_known(cube: ShowCube, explored: Path) -> None:
    page = cube(VIEW)
    run = open_run(explored / "planted")
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


def test_filters_are_taken_by_number_or_beyond_a_limit(cube: ShowCube, explored: Path) -> None:
    page = cube(VIEW)
    page.get_by_test_id("movers").select_option("above")
    page.get_by_test_id("above").wait_for()
    ready(page)
    limited = open_run(explored / "planted").correlation(movers=Movers(above=float(query(page)["above"]))).extent
    expect(page.get_by_test_id("facts")).to_contain_text(f"{limited.layers} · {limited.filters}")
    page.get_by_test_id("above").fill("1.3")
    page.get_by_test_id("above").press("Enter")
    ready(page)
    extent = open_run(explored / "planted").correlation(movers=Movers(above=1.3)).extent
    assert extent.filters < limited.filters
    expect(page.get_by_test_id("facts")).to_contain_text(f"{extent.layers} · {extent.filters}")
    page.get_by_test_id("movers").select_option("top")
    ready(page)
    assert "above" not in query(page)
    page.get_by_test_id("distance").select_option("euclidean")
    ready(page)
    assert query(page)["dist"] == "euclidean"


def test_the_correlation_view_is_the_right_face_alone_with_the_same_selection(cube: ShowCube, minis: Minis) -> None:
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


def test_a_reading_can_be_copied(cube: ShowCube) -> None:
    page = cube(VIEW)
    seek(page, "top", cls=5)
    page.get_by_test_id("copy-reading").click()
    assert "Class\tquail" in page.evaluate("navigator.clipboard.readText()")


def test_exports_are_whole_files_of_what_is_selected(cube: ShowCube, explored: Path, minis: Minis) -> None:
    page = cube(VIEW)

    def export(kind: str) -> tuple[str, bytes]:
        page.get_by_test_id("export").click()
        with page.expect_download() as download:
            page.get_by_test_id(f"export-{kind}").click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def table(kind: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(export(kind)[1].decode())))

    found = open_run(explored / "planted").correlation(movers=Movers(TOP))
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
