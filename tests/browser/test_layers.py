"""The Layer view: what it shows, and every way of working with it."""

import csv
import io
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from benchmarks.generated_network import SMALL
from deeptracker import open_run
from tests.browser.conftest import Open, ready, served
from tests.browser.test_validation import query, slide

pytestmark = pytest.mark.browser

VIEW = "/?run=net&view=layers"


def chart(page: Page, name: str):
    return page.locator(f"[data-testid^=chart-][data-kind][data-name='{name}']")


def bar(page: Page, name: str):
    return page.locator(f"[data-testid^=bar-][data-name='{name}']")


def names(page: Page) -> list[str]:
    """The charts from top to bottom."""
    found = page.locator("[data-testid^=chart-][data-kind]")
    return [found.nth(i).get_attribute("data-name") for i in range(found.count())]


def middle_of_chart(page: Page, name: str, share: float = 0.5, down: float = 0.5) -> tuple[float, float]:
    """A point of a chart, at this share of its width and height."""
    label = chart(page, name).bounding_box()
    canvas = page.get_by_test_id("stage-canvas").bounding_box()
    assert label
    assert canvas
    handle = page.get_by_test_id(chart(page, name).get_attribute("data-testid").replace("chart", "handle"))
    box = handle.bounding_box()
    assert box
    left = box["x"] + box["width"] + 10
    return left + share * (canvas["x"] + canvas["width"] - 128 - left), label["y"] + down * label["height"]


def reading(page: Page) -> dict[str, str]:
    """What the side panel says of the place of the pointer."""
    terms = page.get_by_test_id("reading").locator("dt").all_inner_texts()
    values = page.get_by_test_id("reading").locator("dd").all_inner_texts()
    return dict(zip(terms, values, strict=True))


def test_it_begins_with_modules_and_drills_down_and_up_again(show: Open) -> None:
    page = show(VIEW)
    assert names(page) == ["conv1", "layer1", "layer2.0", "fc"]
    bar(page, "layer1").click()
    ready(page)
    assert names(page) == ["conv1", "layer1", "layer1.0", "layer1.1", "layer2.0", "fc"]
    chart(page, "layer1.0").click()
    ready(page)
    assert names(page)[2:5] == ["layer1.0", "layer1.0.conv1", "layer1.0.conv2"]
    assert "n" in query(page)
    bar(page, "layer1").click()
    ready(page)
    assert names(page) == ["conv1", "layer1", "layer2.0", "fc"]
    assert query(page) == {"run": "net", "view": "layers"}
    page.go_back()
    ready(page)
    assert "layer1.0.conv2" in names(page)


def test_alt_takes_all_siblings_and_a_handle_goes_up(show: Open) -> None:
    page = show(VIEW)
    bar(page, "layer1.0").click(modifiers=["Alt"])
    ready(page)
    assert names(page) == ["conv1", "layer1", "layer1.0", "layer1.1", "layer2.0", "fc"]
    bar(page, "layer1.1").click(modifiers=["Alt"])
    ready(page)
    below = [f"layer1.{block}{layer}" for block in (0, 1) for layer in ("", ".conv1", ".conv2")]
    assert names(page)[2:8] == below
    page.locator("[data-testid^=handle-][aria-label='Up from layer1.1.conv1']").click()
    ready(page)
    assert names(page)[2:6] == ["layer1.0", "layer1.0.conv1", "layer1.0.conv2", "layer1.1"]


def test_all_layers_and_back(show: Open) -> None:
    page = show(VIEW)
    page.get_by_test_id("all-layers").click()
    ready(page)
    assert query(page)["n"]
    assert {"layer1.1.conv2", "layer2.0.conv1"} <= set(names(page))
    page.get_by_test_id("modules-only").click()
    ready(page)
    assert names(page) == ["conv1", "layer1", "layer2.0", "fc"]


def test_the_keyboard_reaches_everything(show: Open) -> None:
    page = show("/?run=net")
    page.keyboard.press("2")
    ready(page)
    assert query(page)["view"] == "layers"
    page.get_by_test_id("stage-canvas").focus()
    page.keyboard.press("ArrowDown")
    assert reading(page)["Module"] == "layer1"
    page.keyboard.press("Enter")
    ready(page)
    assert names(page)[2:4] == ["layer1.0", "layer1.1"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    ready(page)
    page.keyboard.press("ArrowDown")
    assert reading(page)["Layer"] == "layer1.0.conv1"
    page.keyboard.press("Enter")
    ready(page)
    expect(chart(page, "layer1.0.conv1")).to_have_attribute("data-kind", "filters")
    page.keyboard.press("Backspace")
    ready(page)
    assert names(page)[2:4] == ["layer1.0", "layer1.1"]
    page.keyboard.press("m")
    expect(page.get_by_test_id("marks")).to_be_visible()
    page.keyboard.press("1")
    ready(page)
    expect(page.get_by_test_id("cluster-0")).to_be_visible()
    expect(page.get_by_test_id("marks")).to_be_visible()


def test_values_are_those_of_the_run(show: Open, root: Path) -> None:
    page = show(f"{VIEW}&stat=sd")
    run = open_run(root / "net")
    page.mouse.move(*middle_of_chart(page, "layer1", 0.4))
    told = reading(page)
    dump = int(told["Iteration"].split("dump ")[1])
    assert float(told["Weight standard deviation"]) == pytest.approx(run.layer_stats("layer1", "sd")[dump], rel=1e-5)
    assert told["Layers"].startswith("4 ")


@pytest.mark.parametrize("kind", ["line", "horizon", "box"])
def test_every_chart_is_drawn_in_every_measure(show: Open, kind: str) -> None:
    page = show(f"{VIEW}&chart={kind}")
    options = page.get_by_test_id("statistic").locator("option")
    measures = [options.nth(i).get_attribute("value") for i in range(options.count())]
    assert {"mean", "sd", "change", "change_l1", "euclidean", "update_ratio", "weight_median", "grad_q3"} <= set(
        measures
    )
    seen = set()
    for measure in ("mean", "sd", "weight_median", "grad_l2", "change", "update_ratio"):
        page.get_by_test_id("statistic").select_option(measure)
        ready(page)
        seen.add(page.get_by_test_id("stage-canvas").evaluate("c => c.previousElementSibling.toDataURL()"))
    assert len(seen) == 6


def test_bands_and_scales(show: Open) -> None:
    page = show(VIEW)
    picture = "c => c.previousElementSibling.toDataURL()"
    before = page.get_by_test_id("stage-canvas").evaluate(picture)
    slide(page, "bands", 6)
    assert query(page)["bands"] == "6"
    six = page.get_by_test_id("stage-canvas").evaluate(picture)
    page.get_by_test_id("own-scale").check()
    ready(page)
    assert query(page)["own"] == "1"
    assert len({before, six, page.get_by_test_id("stage-canvas").evaluate(picture)}) == 3
    page.get_by_test_id("chart-line").locator("..").click()
    ready(page)
    expect(page.get_by_test_id("bands")).to_have_count(0)


def test_the_guide_of_the_update_ratio_says_what_it_means(show: Open) -> None:
    page = show(f"{VIEW}&stat=update_ratio&chart=line")
    expect(page.get_by_test_id("guide")).to_contain_text("1e-3")
    assert "thousandth" in page.get_by_test_id("guide").inner_text()


def test_a_layer_unfolds_into_its_filters(show: Open, root: Path) -> None:
    page = show(VIEW)
    chart(page, "conv1").click()
    ready(page)
    expect(chart(page, "conv1")).to_have_attribute("data-kind", "filters")
    assert query(page)["l"] == "0"
    never = page.get_by_test_id("never")
    for filter in SMALL.planted.frozen:
        expect(never).to_contain_text(f"conv1 #{filter}")
    run = open_run(root / "net")
    shown = set()
    for norm in ("filter", "iteration", "global"):
        page.goto(page.url.split("&norm")[0] + f"&norm={norm}")
        ready(page)
        page.mouse.move(*middle_of_chart(page, "conv1", 0.5, 0.3))
        told = reading(page)
        dump, filter = int(told["Iteration"].split("dump ")[1]), int(told["Filter"][1:])
        exact = run.filter_stats("conv1", "change")
        said = float(told["change (relative, l2)"].replace("≈", "").replace("−", "-"))
        size = {"filter": exact[filter], "iteration": exact[:, dump], "global": exact}[norm]
        assert said == pytest.approx(exact[filter, dump], abs=float(np.nanmax(size)) * 0.01)
        shown.add(page.get_by_test_id("stage-canvas").evaluate("c => c.previousElementSibling.toDataURL()"))
    assert len(shown) == 3


def test_filters_are_ordered_by_activity_and_similarity(show: Open, root: Path) -> None:
    page = show(f"{VIEW}&l=0")
    run = open_run(root / "net")
    page.get_by_test_id("filter-order").select_option("activity")
    ready(page)
    page.mouse.move(*middle_of_chart(page, "conv1", 0.5, 0.02))
    assert int(reading(page)["Filter"][1:]) == run.filter_order("conv1", "change", "activity").order[0]
    page.get_by_test_id("filter-order").select_option("similarity")
    ready(page)
    page.mouse.move(*middle_of_chart(page, "conv1", 0.5, 0.98))
    assert int(reading(page)["Filter"][1:]) == run.filter_order("conv1", "change", "similarity").order[-1]


def test_a_filter_shows_its_measures_its_rank_and_its_weights(show: Open, root: Path) -> None:
    page = show(f"{VIEW}&l=0")
    page.mouse.click(*middle_of_chart(page, "conv1", 0.5, 0.3))
    ready(page)
    detail = page.get_by_test_id("filter-detail")
    expect(detail).to_be_visible()
    filter = int(detail.get_attribute("data-filter"))
    assert query(page)["f"] == f"0.{filter}"
    expect(page.get_by_test_id("filter-rank")).to_contain_text(" of ")
    expect(page.get_by_test_id("kernel")).to_be_visible()
    run = open_run(root / "net")
    page.mouse.move(5, 5)
    ready(page)
    rank = run.filter_rank("conv1", filter, "change")[-1]
    assert page.get_by_test_id("filter-rank").inner_text().startswith(f"{rank:,} of")
    page.get_by_test_id("close-filter").click()
    expect(detail).to_have_count(0)


def test_top_filters_are_counted_and_the_rest_is_pale(show: Open, root: Path) -> None:
    page = show(f"{VIEW}&top=20")
    run = open_run(root / "net")
    counts = run.top_counts(20, "change")[:, -1]
    rows = page.get_by_test_id("activated").locator("tr")
    listed = {}
    for i in range(rows.count()):
        cells = rows.nth(i).locator("td").all_inner_texts()
        listed[cells[0]] = int(cells[2])
    layers = run.network().layers
    assert listed == {layers[i].name: int(count) for i, count in enumerate(counts) if count}
    page.get_by_test_id("distance").select_option("euclidean")
    ready(page)
    assert query(page)["dist"] == "euclidean"
    expect(page.get_by_test_id("activated")).to_contain_text("by distance (Euclidean)")
    counts = run.top_counts(20, "euclidean")[:, -1]
    largest = int(counts.max())
    expect(rows.first.locator("td").nth(2)).to_have_text(str(largest))
    page.get_by_test_id("top-k").fill("5")
    page.get_by_test_id("top-k").press("Enter")
    ready(page)
    assert query(page)["top"] == "5"
    page.get_by_test_id("top").uncheck()
    ready(page)
    expect(page.get_by_test_id("activated")).to_have_count(0)


def test_iterations_are_brushed_and_zoomed_as_in_the_validation_view(show: Open) -> None:
    page = show(VIEW)
    x0, y = middle_of_chart(page, "layer1", 0.3)
    x1, _ = middle_of_chart(page, "layer1", 0.6)
    page.mouse.move(x0, y)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, y)
    page.mouse.move(x1, y)
    page.mouse.up()
    ready(page)
    brush = query(page)["br"]
    page.get_by_test_id("zoom-to-brush").click()
    ready(page)
    assert query(page)["it"] == brush
    page.get_by_test_id("view-validation").click()
    ready(page)
    assert query(page)["it"] == brush
    expect(page.get_by_test_id("unzoom")).to_be_visible()


def test_a_link_restores_everything(show: Open) -> None:
    page = show(f"{VIEW}&stat=sd&chart=line&own=1&n=1-4&l=0&fstat=euclidean&norm=iteration&frows=activity&spine=value")
    expect(page.get_by_test_id("statistic")).to_have_value("sd")
    expect(page.get_by_test_id("chart-line")).to_be_checked()
    expect(page.get_by_test_id("own-scale")).to_be_checked()
    expect(page.get_by_test_id("filter-statistic")).to_have_value("euclidean")
    expect(page.get_by_test_id("filter-order")).to_have_value("activity")
    expect(chart(page, "conv1")).to_have_attribute("data-kind", "filters")


def test_a_stale_link_says_what_is_not_there(show: Open) -> None:
    page = show(f"{VIEW}&l=0.900&n=2.5000&f=3.99999&stat=nonsense")
    expect(page.get_by_test_id("stale-link")).to_contain_text("1 of 2 layers")
    expect(page.get_by_test_id("statistic")).to_have_value("mean")
    assert query(page)["l"] == "0"


def test_exports(show: Open, root: Path) -> None:
    page = show(f"{VIEW}&l=0&f=0.1&stat=sd")
    files = {}
    for kind in ("svg", "png", "nodes", "filters", "filter"):
        page.get_by_test_id("export").click()
        with page.expect_download() as download:
            page.get_by_test_id(f"export-{kind}").click()
        files[kind] = (download.value.suggested_filename, Path(download.value.path()).read_bytes())
    assert files["svg"][0].startswith("net-layers-0-")
    texts = [node.text for node in ElementTree.fromstring(files["svg"][1]).iter("{http://www.w3.org/2000/svg}text")]
    assert {"conv1", "layer1", "fc", "Network"} <= set(texts)
    assert files["png"][1].startswith(b"\x89PNG")
    rows = list(csv.reader(io.StringIO(files["nodes"][1].decode())))
    run = open_run(root / "net")
    layer1 = next(row for row in rows if row[0] == "layer1")
    assert np.array(layer1[2:], float) == pytest.approx(run.layer_stats("layer1", "sd"), rel=1e-5)
    exact = run.filter_stats("conv1", "change")
    table = list(csv.reader(io.StringIO(files["filters"][1].decode())))
    assert len(table) == 1 + len(exact)
    got = np.array([[float(cell or "nan") for cell in row[2:]] for row in table[1:]])
    assert got == pytest.approx(exact, rel=1e-5, nan_ok=True)
    measures = {row[0] for row in csv.reader(io.StringIO(files["filter"][1].decode()))}
    assert {"mean", "change", "euclidean", "cosine_distance"} <= measures


def test_the_search_finds_a_layer(show: Open) -> None:
    page = show(VIEW)
    page.keyboard.press("/")
    page.keyboard.type("1.conv2")
    page.keyboard.press("Enter")
    ready(page)
    assert "layer1.1.conv2" in names(page)


def test_a_run_without_a_network_says_so(page: Page, root: Path, tmp_path: Path, errors: list[str]) -> None:
    shutil.copytree(root / "net", tmp_path / "no-network")
    (tmp_path / "no-network" / "network.json").unlink()
    with served(tmp_path) as base:
        page.goto(f"{base}?run=no-network&view=layers")
        ready(page)
        expect(page.get_by_test_id("failure")).to_contain_text(re.compile("network", re.I))
    errors.clear()  # the browser reports the 404


def test_the_graph_opens_in_a_window_of_its_own(show: Open) -> None:
    page = show(VIEW)
    page.keyboard.press("g")
    dialog = page.get_by_test_id("graph-dialog")
    page.wait_for_selector("[data-testid=graph-dialog][data-ready]", state="attached")
    assert query(page)["graph"] == "1"
    for _ in range(2):  # from the data to the first convolution
        page.get_by_test_id("graph-canvas").press("ArrowDown")
    expect(page.get_by_test_id("graph-reading")).to_contain_text("conv1")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert "graph" not in query(page)
