"""A run with more dumps than the screen has columns: what one dump did is seen in the whole and named from close by."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from benchmarks.generate import Scale, write_dumps
from deeptracker import open_run
from tests.browser.conftest import Open, ready, served
from tests.browser.test_layers import chart, middle_of_chart, reading

pytestmark = pytest.mark.browser

DUMPS = 1700
LEVEL = 4
EVERY = 100
SCALE = Scale(DUMPS, 6, 10, EVERY, resnet50=False, pictures=False)
VIEW = "/?run=long&view=layers&chart=line&own=1&stat=change"
FIRST_DUMPS = 1534  # the page draws each of so many dumps, and of two more


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A link to a long run, and where it lies; another one that is cut off lies beside it."""
    root = tmp_path_factory.mktemp("long")
    for _ in write_dumps(root / "long", SCALE, seed=5):
        pass
    with served(root) as link:
        yield link, root / "long"


def spike(root: Path) -> int:
    """The dump at which the first layer changes most."""
    return int(np.nanargmax(open_run(root).layer_stats("conv1", "change")))


def tops(page: Page, name: str, shares: list[float]) -> list[int]:
    """How far below the upper edge of a chart its picture begins, in pixels, at shares of its width."""
    canvas = page.get_by_test_id("stage-canvas").bounding_box()
    box = chart(page, name).bounding_box()
    assert canvas
    assert box
    top, height = round(box["y"] - canvas["y"]) + 2, int(box["height"]) - 4
    columns = [int(middle_of_chart(page, name, share)[0] - canvas["x"]) for share in shares]
    return page.get_by_test_id("stage-canvas").evaluate(
        """(canvas, { columns, top, height }) => {
             const { data, width } = canvas.previousElementSibling
               .getContext('2d')
               .getImageData(0, top, canvas.width, height);
             const isDrawn = (x, y) => data.subarray(4 * (y * width + x)).subarray(0, 3).some((part) => part < 245);
             const from = (x, y) => y < height && !isDrawn(x, y) ? from(x, y + 1) : y;
             return columns.map((x) => from(x, 0));
           }""",
        {"columns": columns, "top": top, "height": height},
    )


def test_what_one_dump_did_is_seen_in_the_whole_and_named_from_close_by(show: Open, long: tuple[str, Path]) -> None:
    link, root = long
    values = open_run(root).layer_stats("conv1", "change")
    at = spike(root)
    first = at // LEVEL * LEVEL
    column = values[first : first + LEVEL]
    assert column.max() > 1.4 * np.median(column)

    page = show(VIEW, base=link)
    expect(page.get_by_test_id("level")).to_have_text("Each column: 4 dumps")
    middle = first + LEVEL / 2
    here, *beside = tops(page, "conv1", [(middle + away) / DUMPS for away in (0, -40, -24, 24, 40)])
    assert here + 15 < min(beside)
    page.mouse.move(*middle_of_chart(page, "conv1", middle / DUMPS))
    told = reading(page)
    assert told["Column"] == f"{first * EVERY:,} – {(first + LEVEL - 1) * EVERY:,}"
    assert told["Dumps"] == str(LEVEL)
    assert float(told["Highest"]) == pytest.approx(values[at], rel=1e-5)
    assert float(told["Lowest"]) == pytest.approx(column.min(), rel=1e-5)
    assert float(told["Mean"]) == pytest.approx(column.mean(), rel=1e-5)

    page = show(f"{VIEW}&it={(at - 50) * EVERY}-{(at + 50) * EVERY}", base=link)
    expect(page.get_by_test_id("level")).to_be_hidden()
    page.mouse.move(*middle_of_chart(page, "conv1", 0.505))
    told = reading(page)
    assert told["Iteration"] == f"{at * EVERY:,} · dump {at}"
    assert float(told["Change since the dump before"]) == pytest.approx(values[at], rel=1e-5)
    assert "Column" not in told


def test_so_is_what_one_filter_did(show: Open, long: tuple[str, Path]) -> None:
    link, root = long
    values = open_run(root).filter_stats("conv1", "change")
    at = spike(root)
    filter_ = int(np.nanargmax(values[:, at]))
    down = (filter_ + 0.5) / len(values)
    first = at // LEVEL * LEVEL
    page = show(f"{VIEW}&l=0", base=link)
    page.mouse.move(*middle_of_chart(page, "conv1", (first + LEVEL / 2) / DUMPS, down))
    told = reading(page)
    assert told["Filter"] == f"#{filter_}"
    half_a_step = float(np.nanmax(values[filter_])) / 254
    assert float(told["Furthest from 0"].removeprefix("≈ ")) == pytest.approx(values[filter_, at], abs=half_a_step)
    page = show(f"{VIEW}&l=0&it={(at - 50) * EVERY}-{(at + 50) * EVERY}", base=link)
    page.mouse.move(*middle_of_chart(page, "conv1", 0.505, down))
    told = reading(page)
    assert float(told["change (relative, l2)"].removeprefix("≈ ")) == pytest.approx(
        values[filter_, at], abs=half_a_step
    )


def test_zooming_asks_for_what_is_shown_and_small_pans_for_nothing(show: Open, long: tuple[str, Path]) -> None:
    link, _ = long
    page = show(VIEW, base=link)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "node-stats" in request.url else None)
    page.get_by_test_id("stage-canvas").focus()
    page.mouse.move(*middle_of_chart(page, "conv1"))
    for _ in range(3):
        page.keyboard.press("+")
    expect(page.get_by_test_id("level")).to_be_hidden()
    ready(page)
    assert len(asked) in (1, 2, 3)
    assert all("from=" in url and "to=" in url for url in asked)
    asked.clear()
    page.mouse.wheel(30, 0)
    page.wait_for_function("new URLSearchParams(location.search).get('it') !== null")
    page.mouse.wheel(30, 0)
    ready(page)
    expect(page.get_by_test_id("level")).to_be_hidden()
    assert asked == []


def test_classes_show_means_their_newest_error_and_export_every_dump(show: Open, long: tuple[str, Path]) -> None:
    link, root = long
    errors = open_run(root).error_rates()
    page = show("/?run=long&open=0.1.2.3", base=link)
    expect(page.get_by_test_id("level")).to_have_text("Each column: 4 dumps, their mean.")
    label = page.get_by_test_id("class-0").bounding_box()
    assert label
    page.mouse.move(label["x"] + label["width"] + 400, label["y"] + label["height"] / 2)
    told = reading(page)
    first = int(told["Iteration"].split("dump ")[1]) // LEVEL * LEVEL
    column = errors[0, first : first + LEVEL]
    share = float(told["Error rate"].removeprefix("mean ").removesuffix(" %")) / 100
    assert share == pytest.approx(column.mean(), abs=0.008)
    assert float(told["Highest"].removesuffix(" %")) / 100 == pytest.approx(column.max(), abs=0.008)

    page.get_by_test_id("export").click()
    with page.expect_download() as download:
        page.get_by_test_id("export-classes").click()
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text())))
    assert len(rows[1]) == 2 + DUMPS
    assert np.float32(rows[1][2:]) == pytest.approx(errors[0], abs=0.003)


def test_so_does_the_cube_for_the_filters_of_its_front(show: Open, long: tuple[str, Path]) -> None:
    link, _ = long
    asked: list[str] = []
    page = show("/?run=long&view=cube&th=20", base=link)
    expect(page.get_by_test_id("level")).to_have_text("Each column: 4 dumps")
    page.on("request", lambda request: asked.append(request.url) if "correlation-rows" in request.url else None)
    x, y, width = page.get_by_test_id("face-front").evaluate(
        "face => { const { x, y, width } = face.getBoundingClientRect(); return [x, y, width]; }"
    )
    page.mouse.move(x + width / 2, y + 20)
    page.get_by_test_id("face-front").focus()
    for _ in range(3):
        page.keyboard.press("+")
    expect(page.get_by_test_id("level")).to_have_count(0)
    ready(page)
    assert any("from=" in url and "to=" in url for url in asked)


def test_a_run_that_outgrows_the_screen_while_it_is_watched_is_shown_in_columns(page: Page, tmp_path: Path) -> None:
    dumps = write_dumps(tmp_path / "live", SCALE, finished=False)
    for _ in range(FIRST_DUMPS):
        next(dumps)
    with served(tmp_path) as base:
        page.goto(f"{base}?run=live&view=layers&chart=line")
        ready(page)
        expect(page.get_by_test_id("level")).to_be_hidden()
        for _ in range(4):
            next(dumps)
        expect(page.get_by_test_id("level")).to_have_text("Each column: 4 dumps")
        for _ in range(3):
            next(dumps)
        expect(page.get_by_test_id("dumps")).to_have_text(f"{FIRST_DUMPS + 7:,} dumps")
        page.mouse.move(*middle_of_chart(page, "conv1", 0.9999))
        last = (FIRST_DUMPS + 6) // LEVEL * LEVEL
        expect(page.get_by_test_id("reading")).to_contain_text(f"{last * SCALE.iterations_per_dump:,} – ")
        values = open_run(tmp_path / "live").layer_stats("conv1", "mean")[last:]
        assert float(reading(page)["Lowest"].replace("−", "-")) == pytest.approx(values.min(), rel=1e-5)
