"""What lies under the pointer on the cube: 60 random points a face, at several pixel densities, at rest and on the way.

1. Where a face lies is read from the page: the matrix that the browser lays its panel down with.
2. What lies at a point of it is computed here, from the answer of `Run` and the sizes that the glossary of the faces
   gives: 4 units an anomaly iteration and 3 beside them, 2 units a filter and 3 between layers.
3. The page says what it takes to be under the pointer in `data-hit`. Both must name the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from deeptracker import open_run
from deeptracker.analysis.correlation import Correlation
from tests.browser.conftest import SCALE, ready

pytestmark = pytest.mark.browser

THRESHOLD = 30
VIEW = f"?run=net&view=cube&win=10&th={THRESHOLD}"
POINTS = 60
COLUMN, MARGIN, ROW, GAP = 4, 3, 2, 3
LARGEST_TRIANGLE = 13
"""In pixels, from its middle to where it still can be pointed at."""

PANEL = """face => {
  const panel = document.querySelector(`[data-testid=face-${face}]`);
  const stage = document.querySelector('[data-testid=cube]').getBoundingClientRect();
  const m = new DOMMatrix(getComputedStyle(panel).transform);
  return [m.a, m.b, m.c, m.d, m.e + stage.left, m.f + stage.top, panel.offsetWidth, panel.offsetHeight];
}"""
Hit = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """Where everything lies on the faces, in their units."""

    found: Correlation
    starts: np.ndarray
    tops: np.ndarray

    @classmethod
    def of(cls, found: Correlation) -> Sizes:
        jumps = np.diff(found.columns.offsets)
        filters = np.diff(found.filters.offsets)
        starts = np.concatenate([[0], np.cumsum(COLUMN * jumps + 2 * MARGIN)])
        tops = np.concatenate([[0], np.cumsum(ROW * filters + GAP)])
        return cls(found, starts, tops)

    @property
    def columns(self) -> float:
        return float(self.starts[-1])

    @property
    def rows(self) -> float:
        return float(self.tops[-1] - GAP)

    def size(self, face: str) -> tuple[float, float]:
        """Width and height in units."""
        return {
            "front": (SCALE.dumps, self.rows),
            "top": (SCALE.dumps, self.columns),
            "right": (self.columns, self.rows),
        }[face]

    def row(self, y: float) -> Hit:
        """The layer, filter and mini-set at a height; nothing between two layers."""
        layer = int(np.searchsorted(self.tops, y, side="right")) - 1
        filters = self.found.filters
        place = filters.offsets[layer] + int((y - self.tops[layer]) // ROW)
        if place >= filters.offsets[layer + 1]:
            return {"layer": None, "filter": None, "set": None}
        return {
            "layer": int(filters.layers[layer]),
            "filter": int(filters.filters[place]),
            "set": int(filters.sets[place]),
        }

    def cls(self, x: float) -> int:
        """The place of the class at a distance from the nearest one's edge."""
        return int(np.searchsorted(self.starts, x, side="right")) - 1

    def column(self, x: float) -> int:
        """The nearest anomaly iteration of the class that lies there."""
        place = self.cls(x)
        own = range(self.found.columns.offsets[place], self.found.columns.offsets[place + 1])
        middles = [self.starts[place] + MARGIN + COLUMN * (i + 0.5) for i in range(len(own))]
        return own[int(np.argmin([abs(x - middle) for middle in middles]))]

    def is_clear(self, face: str, x: float, y: float) -> bool:
        """Not on an edge between two things, where rounding decides."""
        dumps = [x % 1]
        rows = [(y - self.tops[np.searchsorted(self.tops, y, side="right") - 1]) % ROW]
        columns = [
            (v - MARGIN - self.starts[self.cls(v)]) % COLUMN for v in [x if face == "right" else self.columns - y]
        ]
        edges = {"front": [*dumps, *rows], "top": dumps, "right": [*rows, *columns]}[face]
        beside = [] if face == "front" else list(np.abs(self.starts - (x if face == "right" else self.columns - y)))
        return all(0.02 < edge % 1 < 0.98 for edge in edges) and all(away > 0.02 for away in beside)


class Face:
    """A panel of the page, and its points."""

    def __init__(self, page: Page, face: str, sizes: Sizes) -> None:
        *matrix, width, height = page.evaluate(PANEL, face)
        a, b, c, d, self._e, self._f = matrix
        w, h = sizes.size(face)
        self.name, self._size = face, (w, h)
        self._matrix = np.array([[a * width / w, c * height / h], [b * width / w, d * height / h]])

    def on_page(self, x: float, y: float) -> np.ndarray:
        return self._matrix @ [x, y] + [self._e, self._f]

    def inside(self, point: np.ndarray) -> np.ndarray:
        return np.linalg.solve(self._matrix, point - [self._e, self._f])

    def holds(self, x: float, y: float) -> bool:
        w, h = self._size
        return bool(0 < x < w and 0 < y < h)


@pytest.fixture(scope="module")
def sizes(root: Path) -> Sizes:
    return Sizes.of(open_run(root / "net").correlation(10, THRESHOLD / 100))


@pytest.fixture(params=[1, 1.5, 2])
def sharp(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page on a screen of so many device pixels to one of the page, on which things move."""
    context = browser.new_context(
        viewport={"width": 1680, "height": 1010},
        device_scale_factor=request.param,
        reduced_motion="no-preference",
        locale="en-GB",
        timezone_id="UTC",
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def hit_at(page: Page, point: np.ndarray) -> Hit | None:
    page.mouse.move(float(point[0]), float(point[1]))
    said = page.get_by_test_id("cube").get_attribute("data-hit")
    return json.loads(said) if said else None


def points(face: Face, sizes: Sizes, seed: int) -> Iterator[tuple[np.ndarray, float, float]]:
    """Whole pixels of the page within the face, and where in the face they lie."""
    random = np.random.default_rng(seed)
    left = POINTS
    while left > 0:
        point = np.round(face.on_page(*(random.random(2) * sizes.size(face.name))))
        x, y = face.inside(point)
        if face.holds(x, y) and sizes.is_clear(face.name, x, y):
            left -= 1
            yield point, float(x), float(y)


def check_front(page: Page, sizes: Sizes) -> None:
    for point, x, y in points(Face(page, "front", sizes), sizes, 1):
        hit = hit_at(page, point)
        assert hit == {"place": "front", "dump": int(x), "cls": None, "column": None, "isHit": False, **sizes.row(y)}


def check_right(page: Page, sizes: Sizes) -> None:
    columns, appearances = sizes.found.columns, sizes.found.appearances
    appears = set(zip(appearances.set.tolist(), appearances.dump.tolist(), strict=True))
    rectangles = 0
    for point, x, y in points(Face(page, "right", sizes), sizes, 2):
        row, column = sizes.row(y), sizes.column(x)
        dump = int(columns.dumps[column])
        is_hit = (row["set"], dump) in appears
        expected = {"place": "right", "cls": int(columns.classes[sizes.cls(x)]), "column": column, "dump": dump}
        assert hit_at(page, point) == {**expected, "isHit": is_hit, **row}
        rectangles += is_hit
    assert 0 < rectangles < POINTS


def check_top(page: Page, sizes: Sizes) -> None:
    """A triangle is meant where it is pointed at, and else the stripe below."""
    face = Face(page, "top", sizes)
    columns = sizes.found.columns
    place = columns.place
    middles = sizes.columns - (sizes.starts[:-1] + sizes.starts[1:]) / 2
    triangles = np.array([face.on_page(d + 0.5, middles[p]) for d, p in zip(columns.dumps, place, strict=True)])
    stripes = 0
    for point, x, y in points(face, sizes, 3):
        hit = hit_at(page, point)
        assert hit
        assert hit["place"] == "top"
        away = np.hypot(*(triangles - point).T)
        if hit["isHit"]:
            column = hit["column"]
            assert away[column] < LARGEST_TRIANGLE
            assert (hit["cls"], hit["dump"]) == (columns.classes[place[column]], columns.dumps[column])
            continue
        stripes += 1
        assert away.min() > 2
        assert (hit["cls"], hit["dump"]) == (columns.classes[sizes.cls(sizes.columns - y)], int(x))
    assert stripes > POINTS / 2


Check = Callable[[Page, Sizes], None]
CHECKS: tuple[Check, ...] = (check_front, check_right, check_top)


@pytest.mark.parametrize("layout", ["cube", "flat"])
def test_random_points_name_what_lies_there(sharp: Page, link: str, sizes: Sizes, layout: str) -> None:
    sharp.goto(f"{link}{VIEW}&layout={layout}")
    ready(sharp)
    for check in CHECKS:
        check(sharp, sizes)


def test_random_points_name_what_lies_there_on_the_way(sharp: Page, link: str, sizes: Sizes) -> None:
    """The clock stands still in the midst of the change from the cube to the flat layout."""
    sharp.clock.install()
    sharp.goto(f"{link}{VIEW}")
    ready(sharp)
    before = Face(sharp, "top", sizes).on_page(0, 0)
    sharp.clock.pause_at(sharp.evaluate("Date.now()") + 1000)
    sharp.keyboard.press("c")
    sharp.clock.run_for(260)
    assert sharp.get_by_test_id("cube").get_attribute("data-moving") is not None
    assert np.abs(Face(sharp, "top", sizes).on_page(0, 0) - before).max() > 10
    for check in CHECKS:
        check(sharp, sizes)
    sharp.clock.resume()
    ready(sharp)
    assert sharp.get_by_test_id("cube").get_attribute("data-moving") is None
