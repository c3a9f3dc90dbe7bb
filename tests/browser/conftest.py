"""One browser a session, a fresh context a test, and no page or console error in any of them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from benchmarks.generate import Scale, write_run
from deeptracker import open_run
from deeptracker.run.correlation import Movers
from tests.browser import chromium
from tests.browser.planted_groups import TOP, write_planted

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
]
SCALE = Scale(dumps=120, classes=24, samples_per_class=30, iterations_per_dump=200, resnet50=False)
PATIENCE_MS = 60_000
"""So long what is expected may take: processes that give way answer late beside other tests."""

expect.set_options(timeout=PATIENCE_MS)

Open = Callable[..., Page]
ShowCube = Callable[[str], Page]
Minis = dict[tuple[str, tuple[int, ...]], str]


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The command itself, in a process of its own; gives its link."""
    command = [sys.executable, "-m", "deeptracker", "serve", str(root), "--port", "0", "--no-open"]
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "300", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            link = re.search(r"http://\S+", process.stdout.readline())
            assert link, "the server printed no link"
            yield link[0]
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs to look at: a finished one with 24 classes."""
    root = tmp_path_factory.mktemp("looked-at")
    write_run(root / "net", SCALE, seed=3)
    return root


@pytest.fixture(scope="session")
def link(root: Path) -> Iterator[str]:
    with served(root) as link:
        yield link


@pytest.fixture(scope="session")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs to explore in the cube: one with planted groups, and some that have little or much to show."""
    root = tmp_path_factory.mktemp("explored")
    write_planted(root / "planted")
    write_run(root / "one-dump", Scale(1, 4, 10, 100, resnet50=False, pictures=False), seed=1)
    write_run(root / "one-class", Scale(20, 1, 10, 100, resnet50=False, pictures=False), seed=4)
    write_run(root / "many", Scale(180, 40, 12, 100, resnet50=False, pictures=False), seed=2)
    return root


@pytest.fixture(scope="session")
def explored_link(explored: Path) -> Iterator[str]:
    with served(explored) as link:
        yield link


@pytest.fixture(scope="session")
def minis(explored: Path) -> Minis:
    """The id of each mini-set of the planted run, by its layer and filters."""
    run = open_run(explored / "planted")
    found = run.correlation(movers=Movers(TOP))
    layers = [layer.name for layer in run.network().layers]
    out = {}
    for number, id in enumerate(found.sets.id):
        filters = tuple(found.filters.filters[found.filters.sets == number].tolist())
        out[layers[found.filters.layers[found.sets.layer[number]]], filters] = f"{int(id):012x}"
    return out


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    path = chromium.find()
    assert path, "no Chromium. Run: make chromium"
    browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def errors() -> list[str]:
    """Console and page errors of this test; a test that provokes some clears them."""
    return []


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1680, "height": 1010},
        color_scheme="light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
        accept_downloads=True,
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, errors: list[str]) -> Iterator[Page]:
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    yield page
    assert errors == []


@pytest.fixture
def show(page: Page, link: str) -> Open:
    """Open a path of the served page and wait until its picture is complete."""

    def show(path: str, *, base: str = link) -> Page:
        page.goto(base.rstrip("/") + path)
        ready(page)
        return page

    return show


@pytest.fixture
def cube(show: Open, explored_link: str) -> ShowCube:
    """Open a view of the runs to explore, and wait until its picture is complete."""
    return lambda search: show(f"/{search}", base=explored_link)


def ready(page: Page) -> None:
    page.wait_for_selector("[data-ready]", state="attached")
