import pytest

from deeptracker.analysis.findings import KINDS, Finding, Place, in_order


def finding(kind: str = "dead-filters", severity: str = "medium", place: Place | None = None) -> Finding:
    return Finding(kind, severity, "Something is so.", "By these numbers.", place or Place())  # type: ignore[arg-type]


def test_a_finding_keeps_its_key_while_it_grows() -> None:
    early = finding(place=Place(layer=2, filters=(1,), first=10, last=20))
    late = finding(place=Place(layer=2, filters=(1, 5), first=10, last=90))
    assert early.key == late.key != finding(place=Place(layer=3)).key


def test_the_severest_come_first_and_each_key_once() -> None:
    low, high = finding("error-step", "low"), finding("not-finite", "high", Place(layer=4))
    found = in_order([low, finding("not-finite", "medium", Place(layer=4)), high, finding()])
    assert found == (high, finding(), low)


@pytest.mark.parametrize(
    "wrong", [{"kind": "something"}, {"severity": "grave"}], ids=["a kind that there is not", "no severity"]
)
def test_what_is_no_finding_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        finding(**wrong)


def test_a_place_says_of_which_layer_its_filters_are() -> None:
    with pytest.raises(ValueError, match="filters must be those of a layer"):
        Place(filters=(1,))
    with pytest.raises(ValueError, match="first must be <= last"):
        Place(first=3, last=2)


def test_every_kind_says_what_it_means_and_what_to_try() -> None:
    assert all(kind.title and kind.meaning[-1] + kind.remedy[-1] in ("..", ".?", "?.") for kind in KINDS.values())
