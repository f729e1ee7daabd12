"""The interface, and the texts for those who miss it."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, computed_field

from ml_service.child.describe import describe
from ml_service.model import Batching, Caps, Defaults, Model, Payload, Run
from shared.errors import InvalidModel


class Double(Model):
    name = "double"
    example: ClassVar[dict[str, Any] | None] = {"number": 2}
    defaults = Defaults(queue_ttl=60.0, max_attempts=2, result_retention=600, row_retention=6000)
    caps = Caps(execution_timeout=30, max_attempts=2)

    class Input(Payload):
        number: int

    class Output(Payload):
        number: int

        @computed_field  # type: ignore[prop-decorator]
        @property
        def even(self) -> bool:
            return self.number % 2 == 0

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        return [self.Output(number=item.number * 2) for item in batch]


def test_a_description_has_what_the_class_says_and_the_defaults_for_the_rest() -> None:
    description = describe(Double)
    assert (description.name, description.version, description.queue, description.tasks) == (
        "double",
        1,
        "double",
        ("inference",),
    )
    assert (description.queue_ttl, description.execution_timeout, description.max_attempts) == (60.0, None, 2)
    assert (description.result_retention, description.row_retention) == (600, 6000)
    assert (description.max_queue_ttl, description.max_execution_timeout, description.max_max_attempts) == (None, 30, 2)
    assert description.example == {"number": 2}


def test_the_output_schema_is_of_what_is_written_not_of_what_is_read() -> None:
    description = describe(Double)
    assert set(description.input_schema["properties"]) == {"number"}
    assert set(description.output_schema["properties"]) == {"number", "even"}


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"name": "ab"}, "name is 'ab'"),
        ({"name": "google-bert"}, "must not start with 'goog'. Give it another `queue`"),
        ({"queue": "the-dead"}, "must not end with '-dead', which marks a dead-letter topic"),
        ({"name": "Double"}, "name is 'Double'"),
        ({"name": "2-double"}, "name is '2-double'"),
        ({"name": "a" * 61}, "3 to 60"),
        ({"name": "double\n"}, "name is"),
        ({"queue": "Queue"}, "queue is 'Queue'"),
        ({"version": 0}, "version is 0"),
        ({"version": "2"}, "version is '2'"),
        ({"version": 202511251200}, "version is 202511251200: give it a whole number from 1 to 999999999"),
        ({"version": True}, "version is True"),
        ({"description": None}, "description must be"),
        ({"batching": Batching(max_size=0)}, "batching must be"),
        ({"batching": 8}, "batching must be"),
        ({"defaults": {}}, "defaults must be"),
        ({"defaults": Defaults(queue_ttl=0)}, "defaults.queue_ttl is 0: give it a number of seconds above 0"),
        ({"defaults": Defaults(execution_timeout=float("inf"))}, "defaults.execution_timeout is inf: "),
        ({"defaults": Defaults(result_retention=float("nan"))}, "defaults.result_retention is nan: "),
        ({"defaults": Defaults(row_retention=1e10)}, "a number of seconds above 0, 3153600000 at most"),
        ({"defaults": Defaults(queue_ttl="60")}, "defaults.queue_ttl is '60': "),  # type: ignore[arg-type]
        ({"defaults": Defaults(queue_ttl=True)}, "defaults.queue_ttl is True: "),
        ({"defaults": Defaults(max_attempts=0)}, "defaults.max_attempts is 0: give it a whole number from 1 to 1000"),
        ({"defaults": Defaults(max_attempts=1.5)}, "defaults.max_attempts is 1.5: "),  # type: ignore[arg-type]
        ({"caps": Defaults()}, "caps must be"),
        ({"caps": Caps(queue_ttl=-1.0)}, "caps.queue_ttl is -1.0: "),
        ({"caps": Caps(max_attempts=1001)}, "caps.max_attempts is 1001: "),
        (
            {"caps": Caps(queue_ttl=30)},
            "defaults.queue_ttl is 60.0, but caps.queue_ttl is 30: a default must be within",
        ),
        ({"caps": Caps(max_attempts=1)}, "defaults.max_attempts is 2, but caps.max_attempts is 1: "),
        ({"Input": dict}, "define Input as a pydantic model"),
        ({"Output": None}, "define Output as a pydantic model"),
        ({"example": {"number": "two"}}, "the example does not fit Input: /number: "),
        ({"example": {"number": 2, "more": 1}}, "the example does not fit Input: /more: "),
        ({"example": {"number": float}}, "the example is not JSON"),
    ],
    ids=str,
)
def test_what_breaks_the_interface_is_named(attributes: dict[str, Any], text: str) -> None:
    broken = type("Broken", (Double,), attributes)
    with pytest.raises(InvalidModel) as caught:
        describe(broken)
    assert str(caught.value).startswith("Broken: ")
    assert text in str(caught.value)


def test_a_name_of_three_or_sixty_characters_is_fine() -> None:
    for name in ("abc", "a" * 60):
        assert describe(type("Named", (Double,), {"name": name})).name == name


def test_a_class_without_predict_is_told_to_define_it() -> None:
    unfinished = type("Unfinished", (Model,), {"name": "unfinished", "Input": Payload, "Output": Payload})
    with pytest.raises(InvalidModel, match="Unfinished: define predict"):
        describe(unfinished)


def test_a_payload_that_json_cannot_describe_is_named() -> None:
    class Odd(BaseModel):
        limit: float = float("nan")

    with pytest.raises(InvalidModel, match="Output has no JSON Schema"):
        describe(type("Odd", (Double,), {"Output": Odd}))
