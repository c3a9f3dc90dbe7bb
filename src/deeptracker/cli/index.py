"""`deeptracker index`: the indexes of one run, or of all runs below a folder, one after the other."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deeptracker.cli.console import check_root, counted, in_bytes, out, plain
from deeptracker.errors import DeepTrackerError

if TYPE_CHECKING:
    from deeptracker.indexing import IndexReport

Place = Annotated[str, typer.Argument(metavar="RUN", help="Folder or URL of a run, or one below which runs lie.")]
Processes = Annotated[int, typer.Option(min=1, metavar="N", help="How many processes build, here.")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Build on the Dask cluster of this scheduler: `tcp://host:8786`.")
]


def index(run: Place, processes: Processes = 1, scheduler: Scheduler = None) -> None:
    """Build the index of a run, or bring it up to date: the page then opens long runs as fast as short ones.

    The index is a cache of the log, in blocks of 64 dumps, and may be deleted at any time. What is built and whole is
    kept, so the same command goes on where it was stopped, and repairs what was damaged. The workers of a cluster must
    see the run under the same name; they are some twice as fast with `MALLOC_TRIM_THRESHOLD_=268435456` and
    `MALLOC_MMAP_THRESHOLD_=33554432` in their environment (Dask's own `pre-spawn-environ` sets the first to 65536).

    - `deeptracker index runs/resnet50 --processes 4`
    - `deeptracker index runs/`
    - `deeptracker index s3://bucket/runs --scheduler tcp://10.0.0.5:8786`
    """
    from deeptracker.server.runs import ServedRuns

    check_root(run)
    found = ServedRuns(run).ids()
    if not found:
        raise DeepTrackerError(f"no run in {run}, nor below it (no run.json). Record one: deeptracker demo")
    wrong = 0
    for identity in found:
        place = f"{run.rstrip('/')}/{identity}" if identity else run
        try:
            report = _build(place, processes, scheduler)
        except DeepTrackerError as error:
            if len(found) == 1:
                raise
            out.print(f"[bold red]{plain(place)}[/bold red] {plain(str(error))}")
            wrong += 1
            continue
        out.print(f"{plain(place)}: {_in_words(report)}")
        wrong += report.blocks_left_out > 0
    if wrong:
        raise typer.Exit(1)


def _build(place: str, processes: int, scheduler: str | None) -> IndexReport:
    from deeptracker.indexing import build_index

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(f"indexing {plain(place)}", total=None)
        try:
            return build_index(
                place,
                processes=processes,
                scheduler=scheduler,
                on_progress=lambda done, blocks: bar.update(task, completed=done, total=blocks),
            )
        except DeepTrackerError:
            raise
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in _REMEDIES:
                raise DeepTrackerError(
                    f"{place}/index must be a folder that can be written to, with room. It is not "
                    f"({_reason(error)}). {_REMEDIES[error.errno]} The run is answered from its log meanwhile."
                ) from error
            if scheduler is None:
                raise
            raise DeepTrackerError(
                f"building on the cluster at {scheduler} failed ({error}). Check that its scheduler runs "
                "(dask scheduler), and that its workers see the run and have deeptracker."
            ) from error
        except KeyboardInterrupt:
            out.print("Stopped. Blocks that are written stay; the same command goes on from there.")
            raise


def _reason(error: OSError) -> str:
    place = f": {error.filename2 or error.filename}" if error.filename else ""
    return f"{error.strerror}{place}"


_NOT_OURS = "Remove what lies there: index/ holds nothing but the index. Then give the same command."
_NOT_WRITABLE = "Give the same command where you may write, or build the index of a copy."
_NO_ROOM = (
    "Make room for about as much as log/ takes; blocks that are written stay, and the same command goes on from there."
)
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _NO_ROOM),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _NOT_WRITABLE),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY), _NOT_OURS),
}
"""What to do about an index that cannot be written, by the system's number of the error."""


def _in_words(report: IndexReport) -> str:
    kept = counted(report.blocks_kept, "block")
    if not report.blocks_written and not report.blocks_left_out:
        return (
            f"nothing to build; {kept} kept." if report.blocks_kept else "nothing to build: no dumps are settled yet."
        )
    built = counted(report.blocks_written, "block")
    said = f"{built} built, {kept} kept, in {report.seconds:,.1f} s; {in_bytes(report.bytes)} written."
    if report.blocks_left_out:
        left_out = counted(report.blocks_left_out, "block")
        said += (
            f" {left_out} left out, for dumps that cannot be read; the log answers. deeptracker check names the files."
        )
    return said
