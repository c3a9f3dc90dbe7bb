"""docs/findings.md says what the rules do: every kind once, and the constants of those that have some."""

import re
from pathlib import Path

import pytest

from deeptracker.analysis.findings import (
    KINDS,
    classes,
    confusion,
    filters,
    gradients,
    jumps,
    learned_classes,
    network,
    samples,
    steps,
    too_high,
    training,
    turns,
)

TEXT = (Path(__file__).parents[3] / "docs" / "findings.md").read_text()
ROWS = {kind: (title, rule) for kind, title, rule in re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|", TEXT, re.M)}

CONSTANTS: dict[str, list[object]] = {
    "exploding-gradients": [f"{gradients.EXPLODED:,.0f}", gradients.GROWN, gradients.FIRST_DUMPS, gradients.LEAST_NEAR],
    "not-finite": [network.NAMED_ALONE],
    "vanishing-gradients": [gradients.VANISHED],
    "initialisation": [network.INITIALISED_OFF],
    "frozen-layer": [network.FROZEN_DUMPS, network.NAMED_ALONE],
    "dead-filters": [
        filters.STILL_DUMPS,
        f"{filters.STILL_SHARE:.0%}",
        filters.SAME_DIRECTION,
        f"{filters.WHOLE_LAYER:.0%}",
        f"{network.DEAD_SEVERE:.0%}",
        f"{network.DEAD_MEDIUM:.0%}",
    ],
    "decaying-filters": [
        filters.DECAY_DUMPS,
        f"{filters.DECAY_SHARE:.0%}",
        f"{filters.RADIAL_ERROR:.0%}",
        f"{filters.LEAST_DECAY:.0%}",
        filters.NOTHING_BESIDE,
    ],
    "over-active-filters": [
        filters.OVER_ACTIVE,
        f"{filters.OVER_ACTIVE_DUMPS:.0%}",
        filters.OVER_ACTIVE_MEDIAN,
        filters.OVER_ACTIVE_ABSOLUTE,
        filters.MORE_THAN_ALWAYS,
        filters.MOST_OVER_ACTIVE,
        f"{filters.MOST_OVER_ACTIVE_SHARE:.0%}",
    ],
    "update-ratio-high": [steps.LARGE, steps.LARGE_BESIDE, steps.LEAST_DUMPS],
    "update-ratio-low": [f"{steps.SMALL:.4f}", steps.SMALL_BESIDE, steps.SMALL_OF_ALL],
    "not-learning": [
        training.GUESSING_DUMPS,
        training.GUESSING,
        training.GUESSING_ABOVE,
        training.STANDARD_ERRORS,
        training.CERTAIN_DUMPS,
    ],
    "learning-rate-too-high": [
        too_high.DEAD_FILTERS,
        f"{too_high.DEAD_SHARE:.0%}",
        too_high.SPIKES,
        f"{too_high.ABOVE_SHARE:.0%}",
        too_high.RISE,
        too_high.RISES,
        too_high.LARGE_STEPS,
    ],
    "overfitting": [
        training.GAP,
        training.GAP_TIMES,
        f"{training.NO_BETTER:.0%}",
        training.RISEN,
        training.RISEN_TIMES,
    ],
    "underfitting": [training.STUCK, training.STUCK_APART],
    "loss-spike": [training.SPIKE, training.LOSSES_BEFORE, training.LEAST_LOSSES, training.FIRST_LOSSES],
    "error-step": [training.STEP_DUMPS, training.STEP, f"{training.STEP_SHARE:.0%}"],
    "many-classes-jump": [jumps.JUMP, jumps.BEFORE, jumps.JUMP_TIMES, jumps.JUMP_OF_A_CLASS],
    "classes-take-turns": [turns.REPEATS, turns.APART, turns.LEAST_PERIOD, turns.MOVES],
    "class-collapse": [classes.KNOWN, classes.LOST, jumps.LASTS, jumps.BEFORE, jumps.JUMP],
    "class-forgotten": [classes.KNOWN, jumps.BEFORE, classes.LOST],
    "class-never-learned": [f"{learned_classes.NEVER:.0%}", f"{learned_classes.OTHERS_KNOW:.0%}"],
    "class-easy-early": [learned_classes.EASY],
    "swapped-classes": [f"{confusion.SWAPPED:.0%}", confusion.SWAPPED_TIMES],
    "confused-classes": [
        f"{confusion.CONFUSED:.0%}",
        confusion.CONFUSED_TIMES,
        confusion.ALIKE,
        confusion.MOST_PAIRS,
    ],
    "mislabelled-samples": [
        f"{samples.NEVER_RIGHT:.0%}",
        samples.LEAST_GOOD_DUMPS,
        samples.IMPROBABLE,
        f"{samples.USUAL:.0%}",
        samples.LEAST_DEFIANT,
        f"{samples.LEAST_PART:.0%}",
        f"{samples.PART_OF_WRONG:.0%}",
        f"{samples.MOSTLY:.0%}",
        f"{samples.ALWAYS:.0%}",
        samples.LEAST_EXCHANGED,
    ],
    "samples-always-wrong": [f"{samples.KNOWING:.0%}"],
    "samples-often-forgotten": [
        samples.LEAST_FORGOTTEN,
        samples.FORGOTTEN_TIMES,
        samples.MOST_NEEDED,
        samples.LEAST_DEFIANT,
        f"{samples.LEAST_PART:.0%}",
    ],
}


def test_the_document_has_every_kind_with_its_title() -> None:
    assert {kind: title for kind, (title, _) in ROWS.items()} == {kind: about.title for kind, about in KINDS.items()}


@pytest.mark.parametrize("kind", CONSTANTS)
def test_the_document_has_the_constants_of_the_rule(kind: str) -> None:
    numbers = re.findall(r"\d[\d.,e-]*(?: %)?", ROWS[kind][1])
    said = {number.rstrip(".,").replace(" %", "%") for number in numbers}
    wanted = {one if isinstance(one, str) else f"{one:g}" for one in CONSTANTS[kind]}
    assert wanted <= said
