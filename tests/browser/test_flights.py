"""The iterations before a dump that showed trouble: the ways there, what they show, and the way back."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.run import Run
from tests.browser.conftest import Open, ready, served
from tests.browser.test_layers import chart, middle_of_chart, names, reading
from tests.browser.test_validation import query

pytestmark = pytest.mark.browser

SCALE = Scale(60, 6, 20, 200, resnet50=False, pictures=False, flights=50)
LAYERS = "/?run=troubled&view=layers"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("flights")
    write_run(place / "troubled", SCALE)
    return place


@pytest.fixture(scope="module")
def run(place: Path) -> Run:
    return open_run(place / "troubled")


@pytest.fixture(scope="module")
def flights_link(place: Path) -> Iterator[str]:
    with served(place) as link:
        yield link


@pytest.fixture
def see(show: Open, flights_link: str) -> Open:
    return lambda path: show(path, base=flights_link)


def test_a_mark_leads_into_a_flight_and_escape_back_to_where_one_was(see: Open, run: Run) -> None:
    page = see(f"{LAYERS}&it=0-9000&stat=sd")
    flight = run.flights()[0]
    page.locator(f"[data-testid=flight-mark][data-dump='{flight.dump}']").click()
    ready(page)
    assert query(page)["flight"] == str(flight.dump)
    bar = page.get_by_test_id("flight-bar")
    expect(bar).to_contain_text(f"before the dump at {flight.dump:,}")
    expect(bar).to_contain_text("loss leapt")
    assert names(page) == ["conv1", "layer1", "layer2.0", "fc"]
    page.mouse.move(*middle_of_chart(page, "fc", share=0.5))
    ready(page)
    told = reading(page)
    iteration = int(told["Iteration"].split(" ")[0].replace(",", ""))
    assert flight.first < iteration < flight.last
    assert told["Iteration"].endswith(f"{iteration - flight.first + 1} / 50")
    value = run.flight_stats(flight.dump, "fc", "grad_l2")[iteration - flight.first]
    assert float(told["l2 norm of the gradients"]) == pytest.approx(float(value), rel=1e-4)
    page.keyboard.press("Escape")
    ready(page)
    assert query(page) == {"run": "troubled", "view": "layers", "it": "0-9000", "stat": "sd"}
    page.go_back()
    ready(page)
    expect(bar).to_be_visible()
    page.get_by_test_id("leave-flight").click()
    ready(page)
    expect(bar).to_have_count(0)


def test_the_batch_under_the_cursor_is_told_and_can_be_copied(see: Open, run: Run) -> None:
    flight = run.flights()[0]
    page = see(f"{LAYERS}&flight={flight.dump}")
    ids = page.get_by_test_id("batch-ids")
    expect(ids).to_have_attribute("data-iteration", str(flight.last))
    page.get_by_test_id("stage-canvas").focus()
    page.keyboard.press("Home")
    ready(page)
    expect(ids).to_have_attribute("data-iteration", str(flight.first))
    expected = [str(one) for one in run.flight_batch(flight.dump, flight.first)]
    assert ids.locator("span").all_inner_texts() == expected
    page.get_by_test_id("batch").get_by_test_id("copy").click()
    assert page.evaluate("navigator.clipboard.readText()").split("\n") == expected


def test_filters_measures_and_zoom_of_a_flight_are_its_own(see: Open, run: Run, tmp_path: Path) -> None:
    flight = run.flights()[-1]
    page = see(f"{LAYERS}&stat=sd&chart=box&flight={flight.dump}")
    assert page.get_by_test_id("statistic").locator("option").all_inner_texts() == [
        "l2 norm",
        "gradient l2 norm",
        "update ratio",
        "NaN and infinite",
    ]
    page.get_by_test_id("statistic").select_option("update_ratio")
    ready(page)
    chart(page, "fc").click()
    ready(page)
    page.mouse.click(*middle_of_chart(page, "fc", share=0.3, down=0.4))
    ready(page)
    detail = page.get_by_test_id("filter-detail")
    expect(detail.locator(".name")).to_have_text(["l2 norm", "gradient l2 norm", "update ratio", "NaN and infinite"])
    expect(page.get_by_test_id("filter-rank")).to_have_count(0)
    page.keyboard.press("+")
    ready(page)
    assert query(page).keys() >= {"fm", "fit", "f", "flight"}
    assert query(page)["stat"] == "sd"
    page.get_by_test_id("restriction-iterations").click()
    ready(page)
    assert "fit" not in query(page)
    page.get_by_test_id("export").click()
    with page.expect_download() as download:
        page.get_by_test_id("export-filters").click()
    download.value.save_as(tmp_path / "filters.csv")
    with (tmp_path / "filters.csv").open() as file:
        rows = list(csv.reader(file))
    assert [int(one) for one in rows[0][2:]] == run.flight_iterations(flight.dump).tolist()
    values = run.flight_filters(flight.dump, "fc", "update_ratio")
    written = np.array([[float(one) for one in row[2:]] for row in rows[1:]])
    np.testing.assert_allclose(written, values[[int(row[0]) for row in rows[1:]]], rtol=1e-6)


def test_an_anomaly_leads_into_the_iterations_before_it_and_a_reason_back_to_its_images(see: Open, run: Run) -> None:
    flight = next(one for one in run.flights() if any(reason.kind == "anomaly" for reason in one.reasons))
    cls = next(reason.cls for reason in flight.reasons if reason.kind == "anomaly")
    page = see(f"/?run=troubled&th=5&win=2&c={cls}&a={cls}.{flight.dump}")
    page.get_by_test_id("into-flight").click()
    ready(page)
    assert query(page)["flight"] == str(flight.dump)
    page.get_by_role("button", name="see its images").first.click()
    ready(page)
    expect(page.get_by_test_id("anomaly-detail")).to_contain_text(f"Anomaly of class 00{cls}")
    page.keyboard.press("2")
    ready(page)
    expect(page.get_by_test_id("flight-bar")).to_be_visible()


def test_keys_lead_there_and_the_panel_lists_all(see: Open, run: Run) -> None:
    page = see(LAYERS)
    flights = run.flights()
    expect(page.get_by_test_id("flight")).to_have_text([f"{one.dump:,}" for one in flights])
    page.get_by_test_id("stage-canvas").focus()
    page.keyboard.press("Home")
    page.keyboard.press("f")
    ready(page)
    assert query(page)["flight"] == str(flights[0].dump)


def test_an_unknown_or_damaged_flight_is_said_and_left(
    see: Open, place: Path, run: Run, errors: list[str], page: Page
) -> None:
    page = see(f"{LAYERS}&flight=7")
    expect(page.get_by_test_id("failure")).to_have_count(1)
    expect(page.get_by_test_id("failure")).to_contain_text("no flight was kept before a dump at iteration 7")
    page.get_by_test_id("leave-flight").click()
    ready(page)
    assert names(page)[0] == "conv1"
    dump = run.flights()[1].dump
    file = place / "troubled" / "log" / "flights" / f"{dump:012d}.arrow"
    data = file.read_bytes()
    at = len(data) // 5  # among the norms of gradients
    file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    page = see(f"{LAYERS}&flight={dump}")
    expect(page.get_by_test_id("failure").first).to_contain_text("column 'grad_l2' must have CRC32")
    expect(page.get_by_test_id("flight-bar")).to_be_visible()
    file.write_bytes(data)
    errors.clear()  # the answers of status 404 and 500
