import msgspec
import pytest

from deploy.local.standin.faults import Arrival, Fault, Faults, Kind

NAMES = "projects/p/subscriptions/echo", "projects/p/topics/echo"


def test_without_faults_everything_comes_as_it_is() -> None:
    faults = Faults()
    assert faults.arrivals(*NAMES) == (Arrival(),)
    assert faults.call("Pull", NAMES) is None


@pytest.mark.parametrize(
    ("fault", "arrivals"),
    [
        (Fault(kind=Kind.DROP), []),
        (Fault(kind=Kind.REPEAT, copies=2), [Arrival()] * 3),
        (Fault(kind=Kind.DELAY, seconds=3.0), [Arrival(3.0)]),
        (Fault(kind=Kind.REORDER), [Arrival(anywhere=True)]),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_what_each_kind_does_to_a_message(fault: Fault, arrivals: list[Arrival]) -> None:
    faults = Faults()
    number = faults.tell(fault)
    assert faults.arrivals(*NAMES) == arrivals
    assert faults.call("Pull", NAMES) is None
    assert [(told.number, told.injected) for told in faults.report()] == [(number, 1)]


def test_faults_add_up() -> None:
    faults = Faults()
    faults.tell(Fault(kind=Kind.REPEAT, seconds=1.0))
    faults.tell(Fault(kind=Kind.DELAY, seconds=2.0))
    assert faults.arrivals(*NAMES) == [Arrival(2.0), Arrival(3.0)]


def test_what_was_dropped_is_not_counted_as_delayed() -> None:
    faults = Faults()
    faults.tell(Fault(kind=Kind.DROP))
    faults.tell(Fault(kind=Kind.DELAY, seconds=2.0))
    faults.arrivals(*NAMES)
    assert [told.injected for told in faults.report()] == [1, 0]


@pytest.mark.parametrize(
    ("pattern", "strikes"),
    [
        ("*", True),
        ("echo", True),
        ("ec*", True),
        ("projects/p/topics/echo", True),
        ("projects/*", True),
        ("digits", False),
    ],
)
def test_a_fault_is_for_those_it_names(pattern: str, *, strikes: bool) -> None:
    faults = Faults()
    faults.tell(Fault(kind=Kind.DROP, resource=pattern))
    assert (faults.arrivals(*NAMES) == []) is strikes


def test_calls_are_chosen_by_method_and_resource_and_the_first_fault_that_fits_counts() -> None:
    faults = Faults()
    slow = Fault(kind=Kind.HANG, method="Pull", resource="echo")
    refused = Fault(kind=Kind.REFUSE, method="P*", status="INTERNAL")
    faults.tell(slow)
    faults.tell(refused)
    assert faults.call("Pull", NAMES) == slow
    assert faults.call("Pull", ["projects/p/subscriptions/other"]) == refused
    assert faults.call("Publish", NAMES) == refused
    assert faults.call("Acknowledge", NAMES) is None
    assert [told.injected for told in faults.report()] == [1, 2]


def test_a_limit_is_kept() -> None:
    faults = Faults()
    faults.tell(Fault(kind=Kind.REFUSE, limit=2))
    assert [faults.call("Pull", NAMES) is None for _ in range(3)] == [False, False, True]


def test_chance_is_as_told_and_begins_anew_with_its_seed() -> None:
    faults = Faults(seed=3)
    faults.tell(Fault(kind=Kind.DROP, probability=0.3))
    first = [len(faults.arrivals(*NAMES)) for _ in range(1_000)]
    assert 200 < first.count(0) < 400
    faults.seed(3)
    assert [len(faults.arrivals(*NAMES)) for _ in range(1_000)] == first


def test_delays_are_spread() -> None:
    faults = Faults()
    faults.tell(Fault(kind=Kind.DELAY, seconds=1.0, spread=2.0))
    delays = {faults.arrivals(*NAMES)[0].delay for _ in range(50)}
    assert len(delays) == 50
    assert all(1.0 <= delay <= 3.0 for delay in delays)


def test_a_fault_that_was_withdrawn_is_over() -> None:
    faults = Faults()
    number = faults.tell(Fault(kind=Kind.DROP))
    faults.withdraw(number)
    assert faults.arrivals(*NAMES) == (Arrival(),)
    assert faults.report() == []


@pytest.mark.parametrize("field", ["probability", "limit", "copies", "seconds", "spread"])
def test_impossible_numbers_are_refused(field: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(f'{{"kind": "drop", "{field}": -1}}', type=Fault)
