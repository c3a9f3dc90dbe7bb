"""A run with more dumps than the screen has columns: what one dump did is seen in the whole and named from close by."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Page, expect

from benchmarks.generate import Scale, UnsyncedBlobs, write_dumps
from deeptracker import open_run
from deeptracker.schema import Branch, Predictions, RunInfo
from deeptracker.store.log import LogWriter
from deeptracker.store.samples import write_samples
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
    page = show("/?run=long&view=cube&win=10&th=20", base=link)
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


MANY_DUMPS = 7500
MANY_LEVEL = 16
HALF = (3000, 4000)
"""Dumps at which sample 4 is wrong every second time."""
JUMP = (6001, 6041)
"""Dumps at which samples 5, 6 and 7 are wrong, and no other of their class: an anomaly."""


def predicted_of_samples() -> npt.NDArray[np.int16]:
    """int16 (samples, dumps): three classes of four samples each; what is looked at is class 1, samples 4 to 7."""
    rng = np.random.default_rng(11)
    labels = np.repeat(np.arange(3, dtype=np.int16), 4)
    out = np.repeat(labels[:, None], MANY_DUMPS, axis=1)
    mistaken = rng.random(out.shape) < 0.1
    mistaken[4:8] = False
    mistaken[4, HALF[0] + 1 : HALF[1] : 2] = True
    mistaken[4, HALF[1] : 5000] = True
    mistaken[5:8, JUMP[0] : JUMP[1]] = True
    out[mistaken] = np.broadcast_to((labels[:, None] + 1) % 3, out.shape)[mistaken]
    out[7, JUMP[0] : JUMP[1]] = 0
    return out


@pytest.fixture(scope="module")
def predictions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A link to a run of 7,500 dumps, of which predictions alone were recorded."""
    place = tmp_path_factory.mktemp("predictions") / "many"
    blobs = UnsyncedBlobs(place)
    log = LogWriter(blobs)
    began = "2026-01-01T00:00:00Z"
    log.write_info(RunInfo("many", began, (Branch(0, began),), "finished", class_names=("ant", "bee", "cat")))
    write_samples(blobs, [f"val_{i:02d}" for i in range(12)], np.repeat(np.arange(3), 4), classes=3)
    probability = np.full(12, 0.5, np.float16)
    for dump, predicted in enumerate(predicted_of_samples().T):
        log.write_predictions(dump * EVERY, Predictions(predicted, probability))
    with served(place.parent) as link:
        yield link


def point_at_row(page: Page, term: str, value: str, share: float) -> tuple[dict[str, str], tuple[float, float]]:
    """Move the pointer down below the label of class 1, at a share of the plot, until its reading says this."""
    canvas, label = (page.get_by_test_id(name).bounding_box() for name in ("stage-canvas", "class-1"))
    assert canvas
    assert label
    left = label["x"] + label["width"] + 6
    x = left + share * (canvas["x"] + canvas["width"] - 210 - left)
    for y in np.arange(label["y"] + label["height"], label["y"] + 260, 3):
        page.mouse.move(x, float(y))
        told = reading(page)
        if term in told and told[term].startswith(value):
            return told, (x, float(y))
    raise AssertionError(f"nothing below class 1 says {term} {value}; the last says {told}")


def told_of_row(page: Page, term: str, share: float, value: str = "") -> dict[str, str]:
    """What the side panel says there."""
    return point_at_row(page, term, value, share)[0]


def colours_at(page: Page, points: list[tuple[float, float]]) -> npt.NDArray[np.int_]:
    """int (points, 3): red, green and blue of the picture without what follows the pointer."""
    return np.array(
        page.evaluate(
            """points => {
              const canvas = document.querySelector('[data-testid=stage] canvas');
              const { x, y } = canvas.getBoundingClientRect();
              const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
              return points.map(([left, top]) => {
                const at = 4 * (Math.floor(top - y) * canvas.width + Math.floor(left - x));
                return [...data.subarray(at, at + 3)];
              });
            }""",
            points,
        )
    )


def test_samples_are_shown_in_columns_and_dump_by_dump_from_close_by(show: Open, predictions: str) -> None:
    truth = predicted_of_samples()[4:8]
    asked: list[str] = []
    page = show("/?run=many&k=1&open=0", base=predictions)
    page.on("request", lambda request: asked.append(request.url) if "/api/class" in request.url else None)
    page.get_by_test_id("class-1").click()
    ready(page)
    samples = [url for url in asked if "/api/class?" in url]
    assert len(samples) == 2  # all dumps in columns, and the newest
    assert all("width=" in url for url in samples)
    assert "/api/class-taken?" in asked[-1]

    points = []
    for dump in (2000, 3504, 4504):
        told, point = point_at_row(page, "Sample", "val_04", (dump + 0.5) / MANY_DUMPS)
        points.append(point)
        first = int(told["Iteration"].split("dump ")[1]) // MANY_LEVEL * MANY_LEVEL
        share = np.mean(truth[0, first : first + MANY_LEVEL] != 1)
        assert float(told["Wrong at"].removesuffix(" % of the dumps")) / 100 == pytest.approx(share, abs=0.006)
        assert "Predicted" not in told
    right, half, wrong = colours_at(page, points)
    assert np.abs(right - wrong).max() > 60
    assert np.abs((right + wrong) / 2 - half).max() < 8
    flips = "Most flips left · right"
    assert told_of_row(page, flips, (JUMP[0] + 0.5) / MANY_DUMPS)[flips] == "3 · 3"
    assert told_of_row(page, "Taken for cat", 4504.5 / MANY_DUMPS)["Taken for cat"] == "mean 25 %"

    page = show(
        f"/?run=many&k=1&open=0&c=1&a=1.{JUMP[0] * EVERY}&it={(JUMP[0] - 20) * EVERY}-{(JUMP[0] + 20) * EVERY}",
        base=predictions,
    )
    expect(page.get_by_test_id("level")).to_be_hidden()
    before, here = 19.5 / 40, 20.5 / 40
    for sample, name in (("val_04", "bee (correct)"), ("val_05", "cat"), ("val_07", "ant")):
        assert told_of_row(page, "Sample", here, sample)["Predicted"] == name
    assert told_of_row(page, "Sample", before, "val_05")["Predicted"] == "bee (correct)"
    assert told_of_row(page, "Flips left · right", here)["Flips left · right"] == "3 · 3"
    assert told_of_row(page, "Taken for cat", here)["Taken for cat"] == "2 of 4"
    assert told_of_row(page, "Taken for cat", before)["Taken for cat"] == "0 of 4"


def test_an_anomaly_and_an_export_have_every_dump_they_need(show: Open, predictions: str) -> None:
    truth = predicted_of_samples()[4:8]
    asked: list[str] = []
    page = show("/?run=many&k=1&open=0&c=1&rows=label", base=predictions)
    page.on("request", lambda request: asked.append(request.url) if "/api/class?" in request.url else None)
    page.get_by_test_id("anomaly").and_(page.locator(f"[data-dump='{JUMP[0]}']")).click()
    ready(page)
    expect(page.get_by_test_id("flipped-sample")).to_have_text(["cat", "cat", "ant"])
    expect(page.get_by_test_id("became-right")).to_have_count(0)
    assert [url.split("&width=")[1].split("&v=")[0] for url in asked] == [f"20&from={JUMP[0] - 10}&to={JUMP[0] + 10}"]

    page.get_by_test_id("export").click()
    with page.expect_download() as download:
        page.get_by_test_id("export-predictions").click()
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text())))
    assert [row[:3] for row in rows[1:]] == [[str(i), f"val_{i:02d}", "1"] for i in range(4, 8)]
    np.testing.assert_array_equal(np.array([row[3:] for row in rows[1:]], int), truth)
