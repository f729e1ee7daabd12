"""Messages that no worker could read: listed, inspected, sent on their way, deleted. All of it needs the scope `admin`."""

from collections.abc import Sequence
from uuid import UUID

from deploy.client.answers import DeadLetter, DeadLetterPage, Job
from deploy.client.effects import Answer, Request, Steps, Stream
from deploy.client.errors import ProblemError
from deploy.client.interpretation import read_as
from deploy.client.paging import listed
from deploy.client.references import segment
from deploy.client.retrying import Policy, Repeat, call

PATH = "/v1/dead-letters"
LetterRef = str | UUID | DeadLetter


def dead_letters(policy: Policy, *, queue: str | None = None, limit: int | None = None) -> Stream[DeadLetter]:
    """Newest first, without their data; pages are fetched as they are needed.

    limit: how many at most. Raises ProblemError, ConnectionFailed.
    """
    return listed(policy, PATH, {"queue": queue}, limit, _page)


def dead_letter(policy: Policy, letter: LetterRef) -> Steps[DeadLetter]:
    """One with its data. Raises ProblemError (`unknown_dead_letter`), ConnectionFailed."""
    request = Request("GET", _path_of(letter), policy.timeout)
    return read_as(DeadLetter, (yield from call(policy, request, Repeat.ALWAYS)))


def redrive(policy: Policy, letter: LetterRef) -> Steps[Job]:
    """Has its job published anew, and removes the letter. -> the job. Not repeated by itself: the letter would be gone.

    Raises ProblemError (`unreadable_message` where it still cannot be read, `wrong_state` where its job does not wait
    for it any more; the letter stays then), ConnectionFailed.
    """
    request = Request("POST", f"{_path_of(letter)}/redrive", policy.timeout)
    return read_as(Job, (yield from call(policy, request, Repeat.UNDONE)))


def delete_dead_letter(policy: Policy, letter: LetterRef) -> Steps[None]:
    """Removes it, and leaves its job as it is; nothing is raised where it is gone already.

    Raises ProblemError, ConnectionFailed.
    """
    try:
        yield from call(policy, Request("DELETE", _path_of(letter), policy.timeout), Repeat.ALWAYS)
    except ProblemError as error:
        # A repeated request finds nothing of what the first has removed.
        if error.code != "unknown_dead_letter":
            raise


def _page(answer: Answer) -> tuple[Sequence[DeadLetter], str | None]:
    page = read_as(DeadLetterPage, answer)
    return page.dead_letters, page.next_cursor


def _path_of(letter: LetterRef) -> str:
    letter_id = letter.id if isinstance(letter, DeadLetter) else str(letter)
    return f"{PATH}/{segment(letter_id, 'dead letter id')}"
