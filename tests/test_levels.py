"""The levels of the house hold: a module imports lower levels only, lazily or not."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import deeptracker

SOURCE = Path(deeptracker.__file__).parent
LEVELS = {
    "errors": 0,
    "documents": 0,
    "schema": 0,
    "analysis": 1,
    "store": 1,
    "parallel": 1,
    "companion": 1,
    "indexing": 2,
    "run": 2,
    "index_process": 3,
    "finding_process": 3,
    "record": 4,
    "server": 4,
    "exchange": 4,
    "demo": 5,
    "experiments": 5,
    "cli": 6,
    "__main__": 7,
}
PUBLIC = "__init__"  # only names where the public classes lie; it imports them when they are first used
MAY_IMPORT_TORCH = {"record", "demo", "experiments"}


def part_of(module: str) -> str:
    """`deeptracker.store.log` -> `store`."""
    return [*module.split("."), PUBLIC][1]


def files() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if "static" not in path.parts)


def imports_of(path: Path) -> Iterator[str]:
    """Names of all modules imported anywhere in a file, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; name the module in full"
            yield node.module or ""


def part_of_file(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_module_imports_lower_levels_only(path: Path) -> None:
    here = part_of_file(path)
    if here == PUBLIC:
        return
    for module in imports_of(path):
        if module.split(".")[0] != "deeptracker":
            continue
        there = part_of(module)
        if there in (here, PUBLIC, "errors", "documents"):
            continue
        assert LEVELS[there] < LEVELS[here], f"{path.name} ({here}) must not import {module} ({there})"


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_torch_is_imported_where_training_is_and_nowhere_else(path: Path) -> None:
    if part_of_file(path) in MAY_IMPORT_TORCH or part_of_file(path) == PUBLIC:
        return
    assert not [module for module in imports_of(path) if module.split(".")[0] == "torch"]


def test_the_analysis_knows_no_files_and_no_http() -> None:
    allowed = {
        "numpy",
        "scipy",
        "sklearn",
        "threadpoolctl",
        "deeptracker",
        "__future__",
        "collections",
        "dataclasses",
        "typing",
        "math",
        "hashlib",
    }
    for path in (SOURCE / "analysis").glob("*.py"):
        assert {module.split(".")[0] for module in imports_of(path)} <= allowed, path


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_deeptracker_loads_neither_torch_nor_the_web_framework() -> None:
    assert not loaded_by("import deeptracker") & {"torch", "fastapi", "uvicorn", "numpy", "sklearn"}


def test_the_server_never_loads_torch() -> None:
    assert "torch" not in loaded_by("import deeptracker.server.app, deeptracker.cli")


def test_recording_from_arrays_never_loads_torch_or_a_framework() -> None:
    frameworks = {"torch", "jax", "keras", "tensorflow", "lightning", "transformers", "fastapi", "uvicorn"}
    assert not loaded_by("import deeptracker; deeptracker.ArrayRecorder") & frameworks


def test_the_recorder_never_loads_the_web_framework() -> None:
    assert not loaded_by("import deeptracker.record.recorder") & {"fastapi", "uvicorn", "starlette"}
