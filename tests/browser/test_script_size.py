"""How much script does a view load until its picture is complete? What is not needed for that comes later."""

import gzip

import pytest
from playwright.sync_api import Page, Response

from tests.browser.conftest import ready

pytestmark = pytest.mark.browser

BUDGET_BYTES = 80_000
"""Of all scripts together, each packed by itself with gzip."""


@pytest.mark.parametrize("view", ["validation", "layers", "correlation", "cube", "confusion"])
def test_a_view_is_complete_within_the_budget_of_script(page: Page, link: str, view: str) -> None:
    scripts: list[Response] = []
    page.on("response", lambda response: scripts.append(response) if response.url.endswith(".js") else None)
    page.add_init_script("""new MutationObserver(() => {
      if (document.querySelector('[data-ready]') && !window.loaded)
        window.loaded = performance.getEntriesByType('resource').map(({ name }) => name);
    }).observe(document, { attributes: true, subtree: true });""")
    page.goto(f"{link}?run=net&view={view}")
    ready(page)
    loaded = set(page.evaluate("window.loaded"))
    sizes = {one.url.rsplit("/", 1)[1]: len(gzip.compress(one.body())) for one in scripts if one.url in loaded}
    assert len(sizes) > 3
    assert sum(sizes.values()) <= BUDGET_BYTES, sizes
