import pytest
from google.api_core import exceptions

from shared.broker.faults import translated
from shared.errors import BrokerUnavailable, NotProvisioned

PASSING = [
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.ResourceExhausted,
    exceptions.Unknown,
    exceptions.InvalidArgument,
]


@pytest.mark.parametrize("passing", PASSING)
def test_what_may_pass_is_unavailable(passing: type[exceptions.GoogleAPICallError]) -> None:
    with pytest.raises(BrokerUnavailable, match=r"Cannot publish: .*busy"), translated("Cannot publish", "a role"):
        raise passing("busy")


def test_what_is_not_there_is_not_provisioned() -> None:
    absent: type[exceptions.GoogleAPICallError] = exceptions.NotFound
    with pytest.raises(NotProvisioned, match=r"Cannot pull: .*no such topic"), translated("Cannot pull", "a role"):
        raise absent("no such topic")


@pytest.mark.parametrize("refusal", [exceptions.PermissionDenied, exceptions.Unauthenticated])
def test_a_refusal_says_which_right_to_grant(refusal: type[exceptions.GoogleAPICallError]) -> None:
    with (
        pytest.raises(BrokerUnavailable, match=r"grant the service account roles/pubsub\.publisher"),
        translated("Cannot publish", "roles/pubsub.publisher"),
    ):
        raise refusal("no")


def test_an_error_of_ours_is_left_alone() -> None:
    with pytest.raises(KeyError), translated("Cannot publish", "a role"):
        raise KeyError
