"""A wheel built from the tree, installed where nothing else is, serves the page."""

import json
import os
import re
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_wheel_in_an_empty_environment_serves_the_page(tmp_path: Path, served_root: Path) -> None:
    run = {"check": True, "capture_output": True, "text": True}
    pip = ["-m", "pip", "--disable-pip-version-check"]
    subprocess.run([sys.executable, *pip, "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT)], **run)
    (wheel,) = tmp_path.glob("deeptracker-*.whl")
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    subprocess.run([python, *pip, "install", "--no-compile", str(wheel)], **run)
    installed = subprocess.run([python, *pip, "list", "--format=json"], **run).stdout
    assert "torch" not in {package["name"] for package in json.loads(installed)}
    command = [tmp_path / "empty" / "bin" / "deeptracker", "serve", str(served_root), "--port", "0", "--no-open"]
    environment = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "COLUMNS": "300", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as process:
        try:
            link = re.search(r"http://\S+", process.stdout.readline())
            assert link
            page = get(link[0])
            assert "<title>DeepTracker</title>" in page
            assets = re.findall(r'"/(assets/[^"]+)"', page)
            assert any(asset.endswith(".js") for asset in assets)
            for asset in assets:
                assert get(link[0] + asset)
            assert len(json.loads(get(link[0] + "api/runs"))["runs"]) == 2
        finally:
            process.terminate()


def get(address: str) -> str:
    with urllib.request.urlopen(address) as response:
        return response.read().decode()
