"""Events as clients see them, in an answer and in a stream."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from api_service.views import Time
from shared.events import Event, EventPage, EventType
from shared.states import JobState


class StateData(msgspec.Struct, frozen=True):
    """What the job has become. attempt: of the latest claim; 0 before the first."""

    state: JobState
    attempt: int


class ProgressData(msgspec.Struct, frozen=True):
    fraction: Annotated[float, Meta(ge=0, le=1)]
    message: str | None


class LogData(msgspec.Struct, frozen=True):
    """level: debug, info, warning or error. What was left out is told here, too."""

    level: str
    message: str


class MetricsData(msgspec.Struct, frozen=True):
    """values: finite numbers by their names. step: if the model counts them."""

    values: dict[str, float]
    step: int | None


class EventView(msgspec.Struct, frozen=True):
    """Something that happened to a job."""

    seq: Annotated[int, Meta(ge=1, description="Counts the job's events, without holes.")]
    type: EventType
    at: Time
    data: Annotated[
        Raw,
        Meta(
            description="`StateData`, `ProgressData`, `LogData` or `MetricsData`, as `type` says.",
            extra_json_schema={"type": "object"},
        ),
    ]


class EventList(msgspec.Struct, frozen=True):
    """Some of a job's events, the oldest first."""

    events: list[EventView]
    last_seq: Annotated[int, Meta(description="Of the last one here; ask for what is `after` it next.")]


_encode = msgspec.json.Encoder().encode


def render_events(page: EventPage, after: int) -> bytes:
    last_seq = page.events[-1].seq if page.events else after
    return _encode(EventList([_view(event) for event in page.events], last_seq))


def stream_events(events: Iterable[Event]) -> bytes:
    """As server-sent events (HTML Standard, section 9.2). JSON has no line breaks of its own."""
    return b"".join(
        b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.type.encode(), _encode(_view(event))) for event in events
    )


def _view(event: Event) -> EventView:
    return EventView(event.seq, event.type, event.at, Raw(event.data.encode()))
