"""The system's word and the model's, put together."""

from dataclasses import replace
from typing import Any

import pytest

from api_service.limits import Limits
from api_service.webhooks.rules import UrlRules
from shared.catalogue import ModelDescription

SILENT = ModelDescription("m", 1, "", "m", ("inference",), {}, {})
LIMITS = Limits(
    input_bytes=1,
    documents_bytes=1,
    metadata_bytes=1,
    default_queue_ttl=3,
    max_queue_ttl=5,
    default_execution_timeout=3,
    max_execution_timeout=5,
    default_max_attempts=3,
    max_max_attempts=5,
    result_retention=1000,
    row_retention=2000,
    webhook_urls=UrlRules(),
)


def test_a_model_that_says_nothing_has_the_system_s() -> None:
    assert LIMITS.of(SILENT) == LIMITS


@pytest.mark.parametrize("name", ["queue_ttl", "execution_timeout", "max_attempts"])
@pytest.mark.parametrize(
    ("default", "cap", "gets", "most"),
    [
        (4, None, 4, 5),
        (6, None, 5, 5),  # above the system's cap
        (None, 4, 3, 4),
        (None, 2, 2, 2),  # below the system's default
        (None, 6, 3, 5),
        (1, 2, 1, 2),
        (6, 7, 5, 5),
    ],
)
def test_a_model_s_word_holds_within_the_system_s_caps(
    name: str, default: int | None, cap: int | None, gets: int, most: int
) -> None:
    words: dict[str, Any] = {name: default, f"max_{name}": cap}
    limits: dict[str, Any] = {f"default_{name}": gets, f"max_{name}": most}
    assert LIMITS.of(replace(SILENT, **words)) == replace(LIMITS, **limits)


def test_a_default_of_the_system_above_its_own_cap_is_brought_down_to_it() -> None:
    assert replace(LIMITS, default_queue_ttl=9).of(SILENT).default_queue_ttl == 5


@pytest.mark.parametrize("name", ["result_retention", "row_retention"])
def test_how_long_things_are_kept_is_the_model_s_word(name: str) -> None:
    longer: dict[str, Any] = {name: 5000}
    assert LIMITS.of(replace(SILENT, **longer)) == replace(LIMITS, **longer)
