"""What could not be recorded, and how is it told?

1. Each loss is kept by what it is and why, with its iterations, and told in `run.json` in one sentence.
2. The user gets one warning for each kind of trouble, not one for each dump; `strict` raises instead.
3. An index that cannot be built, findings that cannot be looked for or told, are a trouble and no loss: all is in the
   log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from deeptracker.record.trouble import warn_user
from deeptracker.record.writer import Failure

RUN_FILE = "run.json"
INDEX, FINDINGS, WEBHOOK = "index", "findings", "webhook"
_BESIDE = {INDEX: "build the index", FINDINGS: "look for findings", WEBHOOK: "tell the webhook"}
"""What goes wrong beside the recording."""

_LISTED = 8


class Losses:
    """What a recorder has lost so far; `before` is what the run had lost when it was continued."""

    def __init__(self, before: Iterable[str] = (), *, strict: bool = False) -> None:
        self.are_told = True
        self._before = tuple(before)
        self._strict = strict
        self._iterations: dict[tuple[str, str], list[int]] = {}
        self._warned: set[tuple[str, str]] = set()
        self._notes: list[str] = []

    @property
    def texts(self) -> tuple[str, ...]:
        """One sentence for each kind of loss, as in `RunInfo.lost`."""
        now = (f"{what} {_at(iterations)}: {why}" for (what, why), iterations in self._iterations.items())
        return (*self._before, *now, *self._notes)

    def note(self, text: str) -> None:
        """Tell something more about the record in this sentence."""
        self._notes.append(text)
        self.are_told = False

    @contextmanager
    def guard(self, what: str, iteration: int) -> Iterator[None]:
        """An error inside becomes a loss and one warning; a strict recorder lets it through."""
        try:
            yield
        except Exception as error:
            self.lose(Failure(what, iteration, error))

    def lose(self, *failures: Failure) -> None:
        """Keep losses, and tell each."""
        for failure in failures:
            self.add(failure)
            self.tell(failure)

    def hear(self, failures: list[Failure]) -> None:
        """Keep losses of another thread, all of them before any is told."""
        for failure in self.taken(failures):
            self.tell(failure)

    def taken(self, failures: list[Failure]) -> list[Failure]:
        """Keep losses; `tell` them after."""
        for failure in failures:
            self.add(failure)
        return failures

    def add(self, failure: Failure) -> None:
        """Keep a loss; `tell` it after."""
        if failure.what in _BESIDE:
            return
        self.are_told = False
        if failure.what == RUN_FILE:
            return  # nothing is lost by it: run.json is written again
        iterations = self._iterations.setdefault((failure.what, _why(failure.error)), [])
        if failure.iteration not in iterations[-1:]:
            iterations.append(failure.iteration)

    def tell(self, failure: Failure) -> None:
        """Warn once for each kind of trouble, or raise where the recorder is strict."""
        if self._strict:
            raise failure.error
        kind = (failure.what, type(failure.error).__name__)
        if kind in self._warned:
            return
        self._warned.add(kind)
        if failure.what in _BESIDE:
            why = str(failure.error).rstrip(".")
            warn_user(
                f"DeepTracker could not {_BESIDE[failure.what]} at iteration {failure.iteration}: {why}. "
                "Training and recording go on, and nothing is lost: the log has all. This is said once."
            )
            return
        warn_user(
            f"DeepTracker could not record {failure.what} at iteration {failure.iteration}: {_why(failure.error)}. "
            f"Training goes on. Further losses of this kind are told in {RUN_FILE} only."
        )

    def tell_at_end(self, failures: Sequence[Failure], *, training_failed: bool) -> None:
        """Tell the last losses, unless training failed; warn of everything lost where `run.json` cannot tell it."""
        for failure in () if training_failed else failures:
            self.tell(failure)
        if any(failure.what == RUN_FILE for failure in failures):
            self._tell_all()

    def _tell_all(self) -> None:
        warn_user(
            f"DeepTracker could not write {RUN_FILE} at the end, so the run stays marked as running. "
            f"What was lost: {'; '.join(self.texts) or 'nothing else'}."
        )


def tried(*steps: Callable[[], object]) -> list[Exception]:
    """Make all these steps, whatever some of them raise: that."""
    raised = []
    for step in steps:
        try:
            step()
        except Exception as error:
            raised.append(error)
    return raised


def unknown_samples(count: int, iteration: int) -> Failure:
    """The loss of samples that an evaluation has, and the run has not."""
    wrong = f"samples must be those of the first evaluation. {count} were not among them and are left out"
    return Failure("samples", iteration, ValueError(wrong))


def _why(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _at(iterations: list[int]) -> str:
    listed = ", ".join(str(i) for i in iterations[:_LISTED])
    more = len(iterations) - _LISTED
    ending = f" and {more} more" if more > 0 else ""
    return f"at iteration{'s' if len(iterations) > 1 else ''} {listed}{ending}"
