"""Writes the table of docs/trainings.md anew, by running every training in it.

python -m tests.record.trainings_table
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.record import recorded
from tests.record.processes import Processes
from tests.record.test_distributed import complete, identical, resumed
from tests.record.trainings import RECIPES, Training

DOCUMENT = Path(__file__).parents[2] / "docs" / "trainings.md"
BEGIN, END = "<!-- the table is written by tests/record/trainings_table.py -->", "<!-- end of the table -->"
HEAD = "| training | bit-identical with and without the recorder | all dumps present | resumed correctly, twice |"
DISTRIBUTED = {
    "ddp": "`DistributedDataParallel`, 4 processes",
    "fsdp": "FSDP (`fully_shard`), 4 processes",
}

Row = tuple[str, str, str, str]


def title(recipe: Callable[[], Training]) -> str:
    """What the table calls a training."""
    return (recipe.__doc__ or "").strip()


def row(recipe: Callable[[], Training], folder: Path) -> Row:
    """What is found of a training in one process."""
    checks = (recorded.is_identical, recorded.has_all_dumps, recorded.is_resumed)
    identical_, complete_, resumed_ = (check(recipe, folder) for check in checks)
    return title(recipe), identical_, complete_, resumed_


def distributed_row(kind: str, processes: Processes, folder: Path) -> Row:
    """What is found of a training in several processes."""
    return DISTRIBUTED[kind], identical(processes, kind, folder), complete(folder), resumed(processes, kind, folder)


def documented() -> dict[str, Row]:
    """The rows of the document, by title."""
    text = DOCUMENT.read_text(encoding="utf-8")
    lines = text[text.index(BEGIN) : text.index(END)].splitlines()[3:]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line]
    return {found[0]: (found[0], found[1], found[2], found[3]) for found in cells}


def _rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as root:
        for recipe in RECIPES:
            folder = Path(root) / recipe.__name__
            folder.mkdir()
            yield row(recipe, folder)
        processes = Processes()
        for kind in DISTRIBUTED:
            folder = Path(root) / kind
            folder.mkdir()
            yield distributed_row(kind, processes, folder)
        processes.close()


def main() -> None:
    """Run all, and write."""
    lines = [HEAD, "|---|---|---|---|"]
    for cells in _rows():
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], file=sys.stderr)
    text = DOCUMENT.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    DOCUMENT.write_text("\n".join([f"{before}{BEGIN}", *lines, after]), encoding="utf-8")


if __name__ == "__main__":
    main()
