"""A run that grows while the cube is looked at: what is chosen stays, what is new comes, and nothing flickers."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deeptracker import open_run
from deeptracker.run.correlation import Movers
from tests.browser.conftest import ready, served
from tests.browser.exploring import VIEW, seek
from tests.browser.planted_groups import EVERY, GROUPS, TOP, planted_dumps
from tests.browser.test_validation import query

pytestmark = pytest.mark.browser

GONG = GROUPS[0]
FIRST_DUMPS, MORE_DUMPS = 128, 140

WATCH = """() => {
  const seen = (window.seen = { frames: 0, pale: 0, blank: 0, plain: 0 });
  const cube = document.querySelector('[data-testid=cube]');
  const faces = [...cube.querySelectorAll('[data-testid^=face-] canvas')];
  const probe = new OffscreenCanvas(64, 64).getContext('2d', { willReadFrequently: true });
  const colours = (face) => {
    probe.clearRect(0, 0, 64, 64);
    probe.drawImage(face, 0, 0, 64, 64);
    return new Set(new Uint32Array(probe.getImageData(0, 0, 64, 64).data.buffer));
  };
  const look = () => {
    seen.frames++;
    if (cube.classList.contains('stale')) seen.pale++;
    for (const face of faces) {
      const found = colours(face);
      if (found.has(0)) seen.blank++;
      else if (found.size < 20) seen.plain++;
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
"""Look at every frame: is the picture pale, is a face not drawn, or drawn without its data?"""


def test_what_is_chosen_stays_while_dumps_come(page: Page, tmp_path: Path) -> None:
    dumps = planted_dumps(tmp_path / "planted")
    for _ in range(FIRST_DUMPS):
        next(dumps)
    run = open_run(tmp_path / "planted")
    found = run.correlation(movers=Movers(TOP))
    layer = [one.name for one in run.network().layers].index(GONG.layer)
    mini = next(
        f"{int(id):012x}"
        for number, id in enumerate(found.sets.id)
        if found.filters.layers[found.sets.layer[number]] == layer
        and tuple(found.filters.filters[found.filters.sets == number]) == GONG.filters
    )
    known = [f"{dump * EVERY:,}" for dump in GONG.dumps if dump < FIRST_DUMPS]
    new = next(dump for dump in GONG.dumps if FIRST_DUMPS <= dump < MORE_DUMPS)
    chosen = f"&mini={mini}&pc={GONG.classes[0]}&mark={GONG.dumps[0] * EVERY}&br=6000-9000&it=4000-31900"
    with served(tmp_path) as base:
        page.goto(f"{base}{VIEW}{chosen}")
        ready(page)
        pinned = page.get_by_test_id("mini-set")
        expect(pinned).to_contain_text(", ".join(known))
        before = query(page)
        page.evaluate(WATCH)
        for count in (FIRST_DUMPS + 2, MORE_DUMPS):
            while next(dumps) < count - 1:
                pass
            expect(page.get_by_test_id("dumps")).to_have_text(f"{count} dumps")
        expect(pinned).to_contain_text(", ".join([*known, f"{new * EVERY:,}"]))
        ready(page)
        seek(page, "right", cls=GONG.classes[0], dump=new)
        seek(page, "top", cls=GONG.classes[0], dump=new, isHit=True)
        expect(page.get_by_test_id("chips")).to_contain_text("gong")
        expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "live")
        for _ in dumps:
            pass
        expect(page.get_by_test_id("run-state")).to_have_attribute("data-state", "finished")
        ready(page)
        assert query(page) == before
        seen = page.evaluate("window.seen")
        assert seen.pop("frames") > 60
        assert seen == {"pale": 0, "blank": 0, "plain": 0}
