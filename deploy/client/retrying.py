"""When a request is sent again, and after how long: decided by functions, carried out by `call`.

Only what can do no harm twice is repeated: reading, submissions (each has an Idempotency-Key), and what the server surely
has not done.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from deploy.client.effects import Answer, Broken, Request, Steps, open_, send, sleep
from deploy.client.errors import ConnectionFailed, ProblemError
from deploy.client.interpretation import error_of

TOO_MANY, UNAVAILABLE = 429, frozenset({502, 503, 504})
STILL_STORING = "idempotency_key_in_use"


PATIENCE, TIMEOUT = 60.0, 30.0  # seconds


class Repeat(Enum):
    ALWAYS = auto()  # doing it twice is doing it once
    UNDONE = auto()  # only if the server has surely done nothing
    NEVER = auto()  # what was sent is gone


@dataclass(frozen=True, slots=True)
class Policy:
    """How the client waits and repeats. All in seconds.

    patience: how long one call goes on when nothing gets through, from its first failure on. timeout: without a byte of an
    answer, beyond what the server was asked to wait. first, longest: of the pauses; they double from one to the other, and
    each is shortened by chance, so that many clients do not come back at once. poll: the longest that the server is asked to
    wait; below the minute after which many a proxy gives up.
    """

    patience: float = PATIENCE
    timeout: float = TIMEOUT
    first: float = 0.25
    longest: float = 8.0
    poll: int = 45
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


def worth_repeating(got: Answer | Broken, repeat: Repeat) -> bool:
    if repeat is Repeat.NEVER:
        return False
    if isinstance(got, Broken):
        return repeat is Repeat.ALWAYS or not got.sent
    if got.status == TOO_MANY:
        return True
    return repeat is Repeat.ALWAYS and (got.status in UNAVAILABLE or _still_storing(got))


def is_passing(error: Exception) -> bool:
    """Whether it may go better in a while."""
    if isinstance(error, ProblemError):
        return error.status == TOO_MANY or error.status in UNAVAILABLE
    return isinstance(error, ConnectionFailed)


def pause_before(number: int, got: Answer | Broken, policy: Policy) -> float:
    """number: of failures so far, from 1. What the server asks for is a minimum."""
    backoff = min(policy.longest, policy.first * 2.0 ** min(number - 1, 30))
    asked = retry_after(got) or 0.0 if isinstance(got, Answer) else 0.0
    return asked + backoff * (0.5 + policy.chance() / 2)


def retry_after(answer: Answer) -> float | None:
    """Seconds; the header may also say a time of day (RFC 9110, section 10.2.3). None: it says nothing."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def call(policy: Policy, request: Request, repeat: Repeat, *, until: float | None = None) -> Steps[Answer]:
    """The answer, a good one. Raises ProblemError, UnexpectedAnswer or ConnectionFailed.

    until: by the policy's clock; no pause goes beyond it.
    """
    return (yield from _repeated(policy, request, repeat, send, until))


def start_reading(policy: Policy, request: Request) -> Steps[Answer]:
    """As `call`, for an answer whose body is then read piece by piece."""
    return (yield from _repeated(policy, request, Repeat.ALWAYS, open_, None))


def _repeated(
    policy: Policy,
    request: Request,
    repeat: Repeat,
    perform: Callable[[Request], Steps[Answer | Broken]],
    until: float | None,
) -> Steps[Answer]:
    failures, uncertain, deadline = 0, False, float("inf")
    while True:
        got = yield from perform(_within(request, policy, until))
        if isinstance(got, Answer) and (got.status < 300 or got.status == 304):
            return got
        failures += 1
        uncertain = uncertain or (isinstance(got, Broken) and got.sent)
        if failures == 1:
            deadline = min(policy.clock() + policy.patience, float("inf") if until is None else until)
        pause = pause_before(failures, got, policy)
        if not worth_repeating(got, repeat) or policy.clock() + pause > deadline:
            raise _given_up(got, request, failures, uncertain=uncertain)
        yield from sleep(pause)


def _within(request: Request, policy: Policy, until: float | None) -> Request:
    if until is None:
        return request
    return replace(request, read_timeout=max(0.1, min(request.read_timeout, until - policy.clock())))


def _given_up(got: Answer | Broken, request: Request, failures: int, *, uncertain: bool) -> Exception:
    if isinstance(got, Answer):
        return error_of(got, retry_after(got))
    times = f" (tried {failures} times)" if failures > 1 else ""
    key = request.headers.get("Idempotency-Key") if uncertain else None
    if key:
        fate = f" It may be stored all the same: repeat it with the idempotency key {key}, and it is stored once."
    elif uncertain and request.method != "GET":
        fate = " It may have been done all the same: look before you repeat it."
    else:
        fate = ""
    return ConnectionFailed(f"{got.reason}{times}.{fate}", uncertain=uncertain, idempotency_key=key)


def _still_storing(answer: Answer) -> bool:
    """The first of two equal submissions is on its way: ask again what became of it."""
    return answer.status == 409 and STILL_STORING.encode() in answer.body
