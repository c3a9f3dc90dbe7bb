import pytest

from deeptracker.analysis.findings import KINDS, Finding, Place, in_order


def finding(kind: str = "dead-filters", severity: str = "medium", place: Place | None = None) -> Finding:
    return Finding(kind, severity, "Something is so.", "By these numbers.", place or Place())  # type: ignore[arg-type]


def test_a_finding_keeps_its_key_while_it_grows() -> None:
    early = finding(place=Place(layer=2, filters=(1,), first=10, last=20))
    late = finding(place=Place(layer=2, filters=(1, 5), first=10, last=90))
    assert early.key == late.key != finding(place=Place(layer=3)).key


def test_of_some_kinds_there_is_one_in_a_run_whatever_it_names() -> None:
    assert finding("class-easy-early", place=Place(classes=(1,))).key == "class-easy-early"
    assert finding("class-easy-early", place=Place(classes=(1, 2))).key == "class-easy-early"


def test_of_many_classes_the_key_says_only_that_they_are_many() -> None:
    assert finding("class-collapse", place=Place(classes=(1, 2))).key == "class-collapse.c1.c2"
    many = [finding("class-collapse", place=Place(classes=tuple(range(n)))).key for n in (4, 9)]
    assert many == ["class-collapse.many"] * 2


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
