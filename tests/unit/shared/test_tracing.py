"""W3C trace context goes from one end to the other, and costs nobody anything who has no SDK."""

from uuid import uuid4

import pytest

from shared.tracing import context_of, job_spans, traceparent_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_traceparent_goes_round() -> None:
    assert traceparent_of(context_of({"traceparent": PARENT})) == PARENT


@pytest.mark.parametrize(
    "headers", [{}, {"traceparent": ""}, {"traceparent": "00-zz-1-01"}, {"traceparent": PARENT[:-3]}]
)
def test_a_missing_or_malformed_one_counts_as_none(headers: dict[str, str]) -> None:
    assert traceparent_of(context_of(headers)) is None


def test_outside_of_any_trace_there_is_none() -> None:
    assert traceparent_of() is None


def test_spans_of_a_batch_need_no_sdk_and_hide_no_error() -> None:
    jobs = [(uuid4(), PARENT), (uuid4(), None), (uuid4(), "nonsense")]
    with job_spans("run", jobs):
        pass
    with pytest.raises(ValueError, match="the model's own"), job_spans("run", jobs):
        raise ValueError("the model's own")
