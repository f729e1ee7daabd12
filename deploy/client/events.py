"""A job's events as they happen, without holes over lost connections."""

import msgspec

from deploy.client.answers import FINISHED, Event
from deploy.client.effects import Broken, Give, Request, Steps, Stream, read, sleep
from deploy.client.errors import ConnectionFailed, UnexpectedAnswer
from deploy.client.references import JobRef, path_of
from deploy.client.retrying import Policy, pause_before, start_reading
from deploy.client.sse import Message, Parser

LASTING = 5.0  # seconds; a stream that lasted so long was one, though nothing may have happened in it


def events(policy: Policy, job: JobRef, *, after: int = 0) -> Stream[Event]:
    """Each event past number `after`, once and in order, until the job has finished.

    A connection that breaks is made anew, from the last event on. Raises ProblemError (`unknown_job`), and ConnectionFailed
    after `patience` without any event while nothing gets through.
    """
    seen, failures, since = after, 0, policy.clock()
    while True:
        answer = yield from start_reading(policy, _request(policy, job, seen))
        if answer.status == 204:
            return
        _check(answer.headers.get("content-type", ""))
        parser, opened, last = Parser(), policy.clock(), False
        while isinstance(piece := (yield from read()), bytes) and piece:
            failures, since = 0, policy.clock()  # a comment is a sign of life, too
            for message in parser.feed(piece):
                event = event_of(message)
                if event is not None and event.seq > seen:
                    seen, last = event.seq, is_end(event)
                    yield Give(event)
        if last:  # it seems; a job that was queued again has an end in its past, and the server knows
            continue
        if policy.clock() - opened > LASTING:
            failures, since = 0, policy.clock()
        failures += 1
        yield from _pause(policy, piece, failures, since, parser.retry)


def event_of(message: Message) -> Event | None:
    """None: an event without a number is none of a job's. Raises UnexpectedAnswer."""
    if not message.id.isdigit():
        return None
    try:
        data = msgspec.json.decode(message.data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnexpectedAnswer(f"Event {message.id} is not JSON ({error}).") from error
    if isinstance(data, dict) and {"seq", "type", "data"} <= data.keys():
        return msgspec.convert(data, Event)
    return Event(seq=int(message.id), type=message.event, data=data)


def is_end(event: Event) -> bool:
    return event.type == "state" and isinstance(event.data, dict) and event.data.get("state") in FINISHED


def _request(policy: Policy, job: JobRef, seen: int) -> Request:
    return Request(
        "GET",
        f"{path_of(job)}/events",
        policy.timeout,
        {"after": str(seen)},
        {"Accept": "text/event-stream", **({"Last-Event-ID": str(seen)} if seen else {})},
    )


def _check(content_type: str) -> None:
    if not content_type.lower().startswith("text/event-stream"):
        raise UnexpectedAnswer(f"No stream of events came, but {content_type or 'something without a type'}.")


def _pause(policy: Policy, ended: bytes | Broken, failures: int, since: float, asked: float | None) -> Steps[None]:
    """A stream that ends is as good as one that breaks: while the job goes on, its events do."""
    broken = ended if isinstance(ended, Broken) else Broken("The server ends the stream of events", sent=True)
    pause = max(pause_before(failures, broken, policy), min(asked or 0.0, policy.longest))
    if failures > 1 and policy.clock() + pause > since + policy.timeout + policy.patience:
        raise ConnectionFailed(f"{broken.reason} ({failures} times).", uncertain=False)
    yield from sleep(pause)
