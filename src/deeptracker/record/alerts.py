"""How does a training hear of findings while it runs, and how does it not notice that somebody looks for them?

1. When a dump is on disk a thread that sleeps asks a process that gives way (finding_process.py) for the findings of
   the run. That takes at most LARGEST_SHARE of the time: after a look that took long nobody looks for a while.
2. NaN is noticed at once, without that process: in the loss when it is logged or written, in what was measured and
   predicted when a dump is written.
3. What is new is handed to the training thread, which calls the user's function at its next step or `log`; what that
   raises is the user's. Then it asks the rules that stop a training.
4. A finding is new once, by its key, also where training is resumed: `run.json` has the keys. A rule stops a resumed
   training only for what has begun since.
5. What goes wrong in here is told once, and nothing is lost.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from deeptracker.analysis.findings import Finding, Place
from deeptracker.analysis.findings.layers import LAYER_MEASURES, LayerRecord
from deeptracker.analysis.findings.network import not_finite
from deeptracker.analysis.findings.summary import summary_of
from deeptracker.errors import CompanionError
from deeptracker.finding_process import FindingProcess
from deeptracker.record.beginning import Beginning
from deeptracker.record.dump import Dump, here
from deeptracker.record.losses import FINDINGS, WEBHOOK
from deeptracker.record.stop_rules import NOT_FINITE, Rule, TrainingStopped, as_rules
from deeptracker.record.webhook import Webhook, check_webhook
from deeptracker.record.writer import Failure
from deeptracker.schema import UNDEFINED, Network

LARGEST_SHARE = 0.25
SEND_SECONDS = 10.0
"""So long a webhook may take at the end of a recording."""

OnFinding = Callable[[Finding], Any]


@dataclass(slots=True)
class AlertOptions:
    """Who is told of findings, and what stops the training.

    `raises`: by TrainingStopped. A trainer's callback has its own way, and only asks what `stopped` is.
    """

    on_finding: OnFinding | None = None
    stop_on: tuple[Rule, ...] = ()
    webhook: str | None = None
    raises: bool = True

    @property
    def are_any(self) -> bool:
        """Is anybody to be told, or anything to be stopped?"""
        return self.on_finding is not None or bool(self.stop_on) or self.webhook is not None

    @classmethod
    def checked(cls, on_finding: Any, stop_on: Any, webhook: Any, *, processes: int = 1) -> Self:
        """TypeError or ValueError where that cannot be, in a training of so many processes."""
        if on_finding is not None and not callable(on_finding):
            raise TypeError(f"on_finding must be a callable that takes a finding. Got a {type(on_finding).__name__}.")
        rules = as_rules(stop_on)
        if rules and processes > 1:
            raise ValueError(
                f"stop_on must be left out in a training of several processes. Got it in one of {processes}: the "
                "process that stops would leave the others waiting. Take on_finding, which is called on rank 0, and "
                "let all of them stop at the same iteration."
            )
        return cls(on_finding, rules, check_webhook(webhook))


class Alerts:
    """Findings of one run. `stopped` is the one that a rule of `stop_on` held for, once it did.

    Without anybody to be told, and in all processes but the one that `leads`, nothing here does anything.
    """

    def __init__(
        self,
        options: AlertOptions,
        place: str,
        begun: Beginning,
        network: Network,
        tell: Callable[[Failure], None],
        *,
        leads: bool = True,
    ) -> None:
        self.options, self._place, self._network, self._tell = options, place, network, tell
        self._is_on = leads and options.are_any
        self.stopped: Finding | None = None
        self._stopped_at = self._newest = self._looked_at = begun.iteration
        self._resumed_at = begun.iteration if begun.dumps else None
        self._known = dict.fromkeys(begun.info.told)
        self._severities: dict[str, str] = {}
        self._new: queue.SimpleQueue[tuple[Finding, bool]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_due, self._is_ending = threading.Event(), threading.Event()
        self._process = FindingProcess()
        self._thread: threading.Thread | None = None
        self._webhook: Webhook | None = None
        if self._is_on and options.webhook is not None:
            self._webhook = Webhook(options.webhook, begun.info.name, place, lambda error: self._fail(WEBHOOK, error))

    @property
    def told(self) -> tuple[str, ...]:
        """The keys of all that was found, for `run.json`."""
        with self._lock:
            return tuple(self._known)

    def stopped_at(self, iteration: int) -> str | None:
        """What `run.json` says of a training that ends here; None where no rule has stopped it, or it went on."""
        if self.stopped is None or (self.options.raises and self._stopped_at != iteration):
            return None
        return f"at iteration {self._stopped_at:,}: {self.stopped.text}"

    def has_raised(self, error: BaseException | None) -> bool:
        """Is this what a rule of this recorder has stopped its training by?"""
        return isinstance(error, TrainingStopped) and error.finding is self.stopped

    def logged(self, iteration: int, scalars: Mapping[str, Any]) -> None:
        """What was logged of an iteration; a loss on an accelerator is looked at when it is written."""
        loss = scalars.get("loss")
        if self._is_on and loss is not None and getattr(getattr(loss, "device", None), "type", "cpu") == "cpu":
            self._find(_of_loss(iteration, float(loss.item() if hasattr(loss, "item") else loss)))

    def written_scalars(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        """These rows have reached the disk."""
        for iteration in sorted(rows) if self._is_on else ():
            self._find(_of_loss(iteration, float(rows[iteration].get("loss", 0))))

    def written(self, dump: Dump) -> None:
        """This dump has reached the disk."""
        if not self._is_on:
            return
        self._newest = dump.iteration
        try:
            self._find(_of_dump(dump, self._network))
        except Exception as error:
            self._fail(FINDINGS, error)
        with self._lock:
            self._is_due.set()
            if self._thread is None and not self._is_ending.is_set():
                self._thread = threading.Thread(target=self._work, name="deeptracker-alerts", daemon=True)
                self._thread.start()

    def deliver(self, iteration: int, *, may_stop: bool = True) -> None:
        """In the training thread: tell what is new; TrainingStopped where a rule holds, once."""
        while not self._new.empty():
            finding, is_new = self._new.get()
            if is_new and self.options.on_finding is not None:
                self.options.on_finding(finding)
            if may_stop and self.stopped is None and self._stops(finding, is_new):
                self.stopped, self._stopped_at = finding, iteration
                if self.options.raises:
                    raise TrainingStopped(finding)

    def ended(self, iteration: int, seconds: float, *, training_failed: bool) -> None:
        """Training has ended: look a last time, for at most so many seconds, and tell what is new.

        Where it has failed by an error of its own, what `on_finding` raises then is told as a warning.
        """
        self.finish(seconds)
        try:
            self.deliver(iteration, may_stop=False)
        except Exception as error:
            if not training_failed:
                raise
            self._fail(FINDINGS, error)

    def finish(self, seconds: float) -> None:
        """Look a last time, for at most so many seconds, and send what is left."""
        self._is_ending.set()
        self._is_due.set()
        if self._thread is not None and seconds > 0:
            self._thread.join(seconds)
        self.stop()
        if self._webhook is not None:
            self._webhook.finish(SEND_SECONDS)

    def stop(self) -> None:
        """Look no more."""
        self._is_ending.set()
        self._is_due.set()
        self._process.stop()

    def _work(self) -> None:
        while self._is_due.wait():
            is_last = self._is_ending.is_set()
            if is_last and self._looked_at == self._newest:
                return
            self._is_due.clear()
            begun, self._looked_at = time.monotonic(), self._newest
            try:
                found = self._process.findings(self._place)
            except Exception as error:
                self._fail(FINDINGS, error)
                if isinstance(error, CompanionError) and error.is_refused:
                    return
            else:
                if found is None:
                    return
                self._find(found[0])
            if is_last:
                return
            self._is_ending.wait((time.monotonic() - begun) * (1 / LARGEST_SHARE - 1))

    def _find(self, findings: Iterable[Finding]) -> None:
        """Hand on what is new, and what is worse than it was."""
        for one in findings:
            with self._lock:
                is_new = one.key not in self._known
                self._known[one.key] = None
                is_as_before = self._severities.get(one.key) == one.severity
                self._severities[one.key] = one.severity
            if is_as_before:
                continue
            self._new.put((one, is_new))
            if is_new and self._webhook is not None:
                self._webhook.post(one)

    def _stops(self, finding: Finding, is_new: bool) -> bool:
        if self._resumed_at is not None:
            first = finding.place.first
            if not is_new if first is None else first <= self._resumed_at:
                return False
        return any(rule(finding) for rule in self.options.stop_on)

    def _fail(self, what: str, error: Exception) -> None:
        self._tell(Failure(what, self._newest, error))


def _of_loss(iteration: int, loss: float) -> Iterator[Finding]:
    if not math.isfinite(loss):
        text = f"The loss is NaN or infinite at iteration {iteration:,}."
        yield Finding(NOT_FINITE, "high", text, f"It was logged as {loss}.", Place(first=iteration, last=iteration))


def _of_dump(dump: Dump, network: Network) -> Iterator[Finding]:
    """What a dump alone tells: weights and gradients by the rule that the whole run is judged by, and outputs."""
    measured, predictions, at = here(dump.measured), dump.predictions, dump.iteration
    if measured is not None and (measured.measures["nonfinite"] > 0).any():
        iterations = np.array([at], np.int64)
        values = {name: measured.measures[name][None] for name in LAYER_MEASURES}
        records = (
            LayerRecord(number, layer, iterations, {name: values[name][:, layer.rows] for name in LAYER_MEASURES})
            for number, layer in enumerate(network.layers)
        )
        yield from not_finite([summary_of(record) for record in records], iterations)
    if predictions is None:
        return
    undefined = np.flatnonzero(predictions.predicted == UNDEFINED)
    if len(undefined):
        samples = undefined if predictions.samples is None else predictions.samples[undefined]
        yield Finding(
            NOT_FINITE,
            "high",
            f"The network gives NaN or infinities for validation samples at iteration {at:,}.",
            f"{len(undefined):,} of {len(predictions.predicted):,} samples.",
            Place(samples=tuple(samples.tolist()), first=at, last=at),
        )
