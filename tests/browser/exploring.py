"""Ways about the cube that several tests share: the planted run's link, a place of a face, what is said of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page

from deeptracker import open_run
from deeptracker.run.correlation import Movers
from tests.browser.planted_groups import TOP

RUN = f"?run=planted&view=cube&top={TOP}"
VIEW = f"{RUN}&win=10&th=35"
"""With the setting that `Run.correlation` has by default, whatever is suggested."""

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
    """What the panel says of the place under the pointer; it comes after the picture."""
    page.get_by_test_id("facts").wait_for()
    section = page.get_by_test_id("reading")
    return dict(zip(section.locator("dt").all_inner_texts(), section.locator("dd").all_inner_texts(), strict=True))


def choose(page: Page, option: str) -> None:
    """Click one of a few that are seen at once: its label covers the radio button."""
    page.get_by_test_id(option).locator("..").click()


def names(section: Locator) -> list[str]:
    return [text.strip() for text in section.all_inner_texts()]
