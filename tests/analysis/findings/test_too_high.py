import numpy as np
import pytest

from deeptracker.analysis.findings.too_high import learning_rate_too_high
from tests.analysis.findings.records import DUMPS, healthy, network, training
from tests.analysis.findings.test_filters import silence

FALLING = np.geomspace(0.9, 0.05, DUMPS)
RESTLESS = np.where(np.arange(DUMPS) % 4 == 3, 0.5, 0.2)
SHOOTING = np.where(np.arange(200) % 60 == 59, 5.0, 0.5)
SHOOTING[:10] = 2.3


@pytest.mark.parametrize(
    ("dies", "spikes", "is_restless", "strides", "found"),
    [
        (False, False, False, False, 0),
        (False, False, False, True, 0),
        (True, False, False, False, 0),
        (False, True, False, False, 0),
        (True, False, False, True, 1),
        (False, True, True, False, 1),
        (True, True, True, True, 1),
    ],
    ids=["none", "large steps", "dead filters", "spikes", "dead and large", "spikes and restless", "all"],
)
def test_it_takes_several_signs(dies: bool, spikes: bool, is_restless: bool, strides: bool, found: int) -> None:
    records = [healthy(index, update_ratio=20 if strides else 1) for index in range(3)]
    for filter in range(4 if dies else 0):
        silence(records[1], filter, first=8)
    record = training(RESTLESS if is_restless else FALLING, loss=SHOOTING if spikes else np.geomspace(2.3, 0.1, 200))
    findings = list(learning_rate_too_high(record, network(*records)))
    assert [one.severity for one in findings] == ["high"] * found


def test_what_happens_after_the_rate_has_dropped_is_no_sign() -> None:
    records = [healthy(index, update_ratio=20) for index in range(3)]
    for filter in range(4):
        silence(records[1], filter, first=12)
    rate = np.where(np.arange(DUMPS) < 10, 1.0, 0.01)
    assert not list(learning_rate_too_high(training(FALLING, rate=rate), network(*records)))
    assert list(learning_rate_too_high(training(FALLING, rate=np.ones(DUMPS)), network(*records)))


def test_a_validation_error_that_comes_back_to_guessing_is_a_sign() -> None:
    records = [healthy(index, update_ratio=20) for index in range(3)]
    lost = np.where(np.arange(DUMPS) < 10, FALLING, 0.9)
    (found,) = learning_rate_too_high(training(lost), network(*records))
    assert "came back" in found.evidence
