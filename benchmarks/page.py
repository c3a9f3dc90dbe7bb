"""How long does the page take at the paper's scale, in a real Chromium? (1,000 classes, 50,000 images, 750 dumps)

    python benchmarks/page.py [--run FOLDER]      # without --run, one is generated first

1. The server is a process of its own, the browser headless Chromium with software drawing, 1680 x 1010.
2. A time runs from the gesture to the frame in which the page says that its picture is complete. The median of several
   repeats is printed, beside the physical limit of the same machine and minute: one empty animation frame.
3. Panning is a drag of a zoomed pixel chart; frames are counted in the page while the pointer moves.
4. The spines of ResNet-50 and DenseNet-121 are those of the real networks, recorded for two steps; the page measures
   its own layout of them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.generate import Scale, write_run  # noqa: E402
from benchmarks.networks import NETWORKS, record_steps  # noqa: E402
from deeptracker import open_run  # noqa: E402
from tests.browser import chromium  # noqa: E402
from tests.browser.conftest import ARGUMENTS, served  # noqa: E402

SETTLED = """() => new Promise(done => {
  const look = () => document.querySelector('[data-ready]') ? done(performance.now()) : requestAnimationFrame(look);
  requestAnimationFrame(() => requestAnimationFrame(look));
})"""
COUNT_FRAMES = """() => {
  window.frames_seen = [];
  let last = performance.now();
  const next = now => {
    window.frames_seen.push(now - last);
    last = now;
    window.counting = requestAnimationFrame(next);
  };
  window.counting = requestAnimationFrame(next);
}"""
SLIDE = """(input, value) => { input.value = value;
  for (const kind of ['input', 'change']) input.dispatchEvent(new Event(kind, {bubbles: true})); }"""


WIDEST = "layer4.2.conv3"
"""A layer of 2,048 filters."""


def timed(page: Page, act: Callable[[], object]) -> float:
    """Milliseconds from a gesture until the picture is complete."""
    start = page.evaluate("performance.now()")
    act()
    end: float = page.evaluate(SETTLED)
    return end - start


def slide(page: Page, name: str, value: int) -> Callable[[], object]:
    return lambda: page.get_by_test_id(name).evaluate(SLIDE, str(value))


def first_picture(page: Page, address: str) -> float:
    """Milliseconds from the navigation's start until the picture is complete."""
    page.goto(address)
    return float(page.evaluate(SETTLED))


def frames_while_panning(page: Page, left: float, y: float) -> list[float]:
    """Milliseconds of each frame while a chart is dragged to and fro from a point."""
    page.mouse.move(left, y)
    page.mouse.down()
    page.evaluate(COUNT_FRAMES)
    for step in range(150):
        page.mouse.move(left + 3 * (step if step < 75 else 150 - step), y)
    frames: list[float] = page.evaluate("cancelAnimationFrame(window.counting), window.frames_seen")
    page.mouse.up()
    return frames


@contextmanager
def opened(link: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        path = chromium.find()
        if path is None:
            sys.exit("no Chromium. Run: make chromium")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1680, "height": 1010}, reduced_motion="reduce")
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def measure(link: str, run: str) -> dict[str, list[float]]:
    """Milliseconds by name, several repeats each."""
    address = f"{link}?run={run}"
    times: dict[str, list[float]] = {}
    with opened(link) as page:
        times["first picture, server just started"] = [first_picture(page, address)]
        times["first picture, server warm"] = [first_picture(page, address) for _ in range(5)]
        empty = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        page.evaluate(empty)
        times["two empty frames (limit)"] = [timed(page, lambda: page.evaluate("0")) for _ in range(9)]
        times["open a cluster of some 300 classes"] = []
        for cluster in (0, 1, 2, 3):
            button = page.get_by_test_id(f"cluster-{cluster}")
            times["open a cluster of some 300 classes"].append(timed(page, button.click))
            button.click()
            page.evaluate(SETTLED)
        times["open a class, found by name"] = []
        for c in (3, 250, 500, 750, 999):
            page.goto(address)
            page.evaluate(SETTLED)
            page.keyboard.press("/")
            page.keyboard.type(f"class {c:03d}")
            times["open a class, found by name"].append(timed(page, lambda: page.keyboard.press("Enter")))
        times["change the window k"] = [timed(page, slide(page, "window", k)) for k in (5, 15, 20, 30, 8)]
        times["change the score"] = [timed(page, slide(page, "score", th)) for th in (20, 25, 30, 40, 50)]
        times["change the clusters"] = [timed(page, slide(page, "clusters", k)) for k in (5, 6, 7, 3, 8)]
        page.goto(f"{address}&open=0&c=3&it=100000-600000&rh=6")
        page.evaluate(SETTLED)
        chart = page.get_by_test_id("stage-canvas").bounding_box()
        thumbnail = page.get_by_test_id("thumbnail").first.bounding_box()
        assert chart
        assert thumbnail
        times["frame while panning the pixel chart"] = frames_while_panning(page, chart["x"] + 300, thumbnail["y"] + 40)
    return times


def measure_layers(link: str, folder: Path) -> dict[str, list[float]]:
    """Milliseconds by name in the Layer view."""
    address = f"{link}?run={folder.name}&view=layers"
    run = open_run(folder)
    widest = run.node_index(WIDEST)
    layer = run.nodes()[widest].layer
    times: dict[str, list[float]] = {}
    with opened(link) as page:
        times["layers: first picture, server just started"] = [first_picture(page, address)]
        times["layers: first picture, server warm"] = [first_picture(page, address) for _ in range(5)]
        times["layers: another measure, first time"] = [timed(page, choose(page, "statistic", "sd"))]
        again = ("mean", "sd", "mean", "sd", "mean")
        times["layers: another measure, known"] = [timed(page, choose(page, "statistic", name)) for name in again]
        times["layers: drill down and up"] = []
        for module in ("layer1", "layer2", "layer3", "layer4") * 2:
            bar = page.locator(f"[data-testid^=bar-][data-name='{module}']")
            times["layers: drill down and up"].append(timed(page, bar.click))
        page.goto(f"{address}&n=1-2.{widest}")
        page.evaluate(SETTLED)
        wide = page.locator(f"[data-testid^=chart-][data-name='{WIDEST}']")
        times["layers: unfold 2,048 filters, first time"] = [timed(page, wide.click)]
        times["layers: fold and unfold them again"] = [timed(page, wide.click) for _ in range(6)]
        norms = ("iteration", "global", "filter") * 2
        times["layers: switch the normalisation"] = [timed(page, choose(page, "norm", norm)) for norm in norms]
        times["layers: order them by similarity, first time"] = [
            timed(page, choose(page, "filter-order", "similarity"))
        ]
        page.goto(f"{address}&l={layer}&n={widest}&fh=4&it=100000-600000")
        page.evaluate(SETTLED)
        box = page.locator(f"[data-testid^=chart-][data-name='{WIDEST}']").bounding_box()
        assert box
        times["layers: frame while panning 2,048 filters"] = frames_while_panning(page, 700, box["y"] + 100)
    return times


def choose(page: Page, name: str, value: str) -> Callable[[], object]:
    """Choose from a list, or from a few, whichever the page shows."""

    def act() -> None:
        listed = page.locator(f"select[data-testid={name}]")
        if listed.count():
            listed.select_option(value)
        else:
            page.locator(f"[data-testid={name}-{value}]").locator("..").click()

    return act


def measure_spines(link: str, names: list[str]) -> dict[str, list[float]]:
    """Milliseconds that the page takes to lay out each network, as it measures itself."""
    times: dict[str, list[float]] = {}
    with opened(link) as page:
        for name in names:
            for _ in range(5):
                page.goto(f"{link}?run={name}&view=layers")
                page.evaluate(SETTLED)
                spent = page.evaluate("performance.getEntriesByName('spine').map(entry => entry.duration)")
                times.setdefault(f"spine of {name}", []).append(max(spent))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="a run of the paper's scale; without it one is generated")
    given = parser.parse_args().run
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given) if given else Path(temporary) / "paper"
        if not given:
            write_run(folder, Scale())
        with served(folder.parent) as link:
            times = measure(link, folder.name)
        with served(folder.parent) as link:
            times |= measure_layers(link, folder)
        networks = Path(temporary) / "networks"
        spines = ["resnet50", "densenet121"]
        for name in spines:
            record_steps(networks / name, NETWORKS[name](), steps=2)
        with served(networks) as link:
            times |= measure_spines(link, spines)
    table = Table("the page at the paper's scale", "median ms", "worst ms", "x two frames", "repeats")
    limit = statistics.median(times["two empty frames (limit)"])
    for name, values in times.items():
        middle = statistics.median(values)
        table.add_row(name, f"{middle:.1f}", f"{max(values):.1f}", f"{middle / limit:.1f}", str(len(values)))
    Console(width=120).print(table)
    for name in ("frame while panning the pixel chart", "layers: frame while panning 2,048 filters"):
        frames = sorted(times[name])
        late = sum(frame > 1000 / 60 * 1.5 for frame in frames) / len(frames)
        print(f"{name}: {1000 / statistics.mean(frames):.0f} frames a second, {late:.1%} of the frames late")


if __name__ == "__main__":
    main()
