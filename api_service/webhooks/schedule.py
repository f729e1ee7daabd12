"""What is made of an answer, and when the next try is."""

import random
from http import HTTPStatus

from api_service.webhooks.sending import Answer
from shared.database.deliveries import Outcome

_MINUTE, _HOUR = 60.0, 3600.0
# Seconds from a failed try to the next one. In the manner of the Standard Webhooks recommendation: soon at first, for a
# receiver that is being restarted, then ever more rarely, for one that has to be mended; a day (23.6 h) in all.
DELAYS = (5.0, 30.0, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 8 * _HOUR, 8 * _HOUR)
JITTER = 0.2  # of a delay, so that what failed together does not come again together
# A receiver may ask for a later try. Not for one so late that the tries would take much longer than a day.
RETRY_AFTER_MOST = 1 * _HOUR
_HEEDED = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


def outcome_of(answer: Answer, tries: int) -> Outcome:
    """tries: made before this one. Only 2xx is delivered; 410 says that nobody wants to hear of it any more."""
    if answer.status is not None and HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(answer.status, None, answer.seconds)
    error = answer.error or f"answered with {answer.status}"
    if answer.status == HTTPStatus.GONE or tries >= len(DELAYS):
        return Outcome(answer.status, error, answer.seconds)
    return Outcome(answer.status, error, answer.seconds, _again_in(answer, tries))


def _again_in(answer: Answer, tries: int) -> float:
    delay = DELAYS[tries] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter, not a secret
    asked = answer.retry_after if answer.status in _HEEDED else None
    return max(delay, min(asked or 0.0, RETRY_AFTER_MOST))
