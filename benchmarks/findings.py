"""How many planted faults are found, and how much is found that is not there?

    python benchmarks/findings.py --runs /tmp/planted                   # seeds 2 and 3, which no rule was tuned on
    python benchmarks/findings.py --runs /tmp/planted --seeds 0 1 --each
    python benchmarks/findings.py --runs /tmp/planted --only dead-bias,healthy-usual --each

1. Every planted training (planted/) is recorded into --runs once for each seed, a few seconds each, and kept: a run
   that is there is read. Delete its folder to have it recorded again.
2. A kind's recall is the share of its expectations that were met, over all trainings; its precision the share of its
   findings that were expected or are declared true of their training.
3. Healthy trainings expect nothing. Whatever is found there is listed, with its severity.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a command, only this folder is there to import from

from benchmarks.planted import ALL, HEALTHY, Expected, Planting, recorded  # noqa: E402
from deeptracker.analysis.findings import KINDS, Finding  # noqa: E402


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in one training."""

    planting: Planting
    seed: int
    findings: tuple[Finding, ...]
    met: tuple[Expected, ...]
    wrong: tuple[Finding, ...]
    seconds: float

    @property
    def missed(self) -> tuple[Expected, ...]:
        return tuple(one for one in self.planting.expects if one not in self.met)


def outcome(planting: Planting, runs: Path, seed: int) -> Outcome:
    """Record the training if need be, and apply the rules."""
    run, truth = recorded(planting, runs, seed)
    begun = time.perf_counter()
    findings = run.findings()
    seconds = time.perf_counter() - begun
    return Outcome(
        planting, seed, findings, planting.found(findings, run), planting.wrong(findings, run, truth), seconds
    )


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Markdown, a row for each kind that was planted or found, and one of all together."""
    planted = Counter(one.kind for o in outcomes for one in o.planting.expects)
    met = Counter(one.kind for o in outcomes for one in o.met)
    found = Counter(one.kind for o in outcomes for one in o.findings)
    wrong = Counter(one.kind for o in outcomes for one in o.wrong)
    rows = ["| kind | planted | found | recall | raised | wrong | precision |", "|---|---|---|---|---|---|---|"]
    for kind in (*KINDS, "all"):
        p, m, f, w = (n.total() if kind == "all" else n[kind] for n in (planted, met, found, wrong))
        if p or f:
            rows.append(f"| {kind} | {p} | {m} | {share(m, p)} | {f} | {w} | {share(f - w, f)} |")
    return rows


def share(part: int, whole: int) -> str:
    """Two digits, nothing where there is nothing to divide by."""
    return f"{part / whole:.2f}" if whole else ""


def described(outcome: Outcome) -> list[str]:
    """Lines on one training: what was found, missed and wrong."""
    lines = [f"{outcome.planting.name}, seed {outcome.seed}: {outcome.planting.about} ({outcome.seconds:.2f} s)"]
    lines += [f"   MISSED  {one}" for one in outcome.missed]
    for one in outcome.findings:
        sign = "WRONG " if one in outcome.wrong else "      "
        lines.append(f"   {sign}  [{one.severity}] {one.kind}: {one.text} {one.evidence}")
    return lines


def main() -> None:
    """Parse the command line, record what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="folder for the recorded trainings; kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3])
    parser.add_argument("--only", help="names of trainings, separated by commas")
    parser.add_argument("--each", action="store_true", help="print every finding of every training")
    chosen = parser.parse_args()
    names = chosen.only.split(",") if chosen.only else [planting.name for planting in ALL]
    unknown = set(names) - {planting.name for planting in ALL}
    if unknown:
        sys.exit(f"no training {', '.join(sorted(unknown))}. There are: {', '.join(p.name for p in ALL)}.")
    outcomes = []
    for planting in ALL:
        for seed in chosen.seeds if planting.name in names else ():
            outcomes.append(outcome(planting, chosen.runs, seed))
            if chosen.each or outcomes[-1].missed or outcomes[-1].wrong:
                print("\n".join(described(outcomes[-1])), flush=True)
    print(f"\n{len(outcomes)} trainings, seeds {', '.join(map(str, chosen.seeds))}\n")
    print("\n".join(table(outcomes)))
    healthy = [o for o in outcomes if o.planting in HEALTHY]
    severities = Counter(one.severity for o in healthy for one in o.findings)
    counted = ", ".join(f"{severities[name]} {name}" for name in ("high", "medium", "low"))
    print(f"\nFindings on {len(healthy)} healthy trainings: {counted}")


if __name__ == "__main__":
    main()
