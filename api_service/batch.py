"""Many submissions in one body: checked one by one, stored together or not at all."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Raw
from uuid_utils.compat import uuid7

from api_service.errors import BodyTooLarge, DoesNotFit, MalformedBody
from api_service.idempotency import Key, canonical, digest_of_list
from api_service.submission import Intake, Submission
from api_service.well_formed import check_json
from shared.errors import Fault, UnknownModel
from shared.job import NewJob

MAX_JOBS = 1000  # of the contract
# Of one job, and of all: a client mends the first few, and needs to see that there are others.
MAX_FAULTS_EACH, MAX_FAULTS = 5, 100

_NONE = Raw(b"")


class BatchSubmission(msgspec.Struct, frozen=True):
    """Jobs to be run, stored all or not at all."""

    jobs: Annotated[list[Submission], Meta(min_length=1, max_length=MAX_JOBS)]


# A list would be read to its end before its length is looked at, and 16 MiB have room for eight million items. This
# stops at the first one too many, and builds nothing of what is in them.
_Items = msgspec.defstruct(
    "_Items",
    [("first", Raw), *((f"item_{number}", Raw, _NONE) for number in range(1, MAX_JOBS))],
    array_like=True,
    forbid_unknown_fields=True,
)


class _Split(msgspec.Struct, forbid_unknown_fields=True):
    jobs: _Items  # type: ignore[valid-type]  # made above


_decode = msgspec.json.Decoder(_Split).decode


def split_batch(body: bytes) -> list[bytes]:
    """The submissions, not looked into. Raises MalformedBody or DoesNotFit."""
    try:
        items: tuple[Raw, ...] = msgspec.structs.astuple(_decode(body).jobs)
    except msgspec.ValidationError as error:
        raise DoesNotFit("The body is not a batch.", [_misfit(body, str(error))]) from None
    except RecursionError:
        raise MalformedBody("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise MalformedBody("The body is not UTF-8.") from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"{error}.") from None
    return [bytes(item) for item in items if item is not _NONE]


def _misfit(body: bytes, message: str) -> Fault:
    if "`array` of at" in message:  # what comes after the last one that counts is not looked at
        return Fault("/jobs", f"Expected `array` of 1 to {MAX_JOBS} submissions")
    check_json(body)
    if message.endswith("`$.jobs`"):
        return Fault("/jobs", message.partition(" - at ")[0])
    return Fault("", message)


class BatchIntake:
    """Turns batches into jobs that can be stored. largest: bytes that one submission may have."""

    def __init__(self, intake: Intake, largest: int) -> None:
        self._intake = intake
        self._largest = largest

    async def digest(self, items: Sequence[bytes]) -> str:
        """What the whole body is known by, as a submission by its own. Raises what `accept` raises, for the first."""
        written = []
        for number, item in enumerate(items):
            self._check_size(number, item)
            try:
                written.append(canonical(item))
            except MalformedBody as error:
                raise MalformedBody(f"/jobs/{number}: {error}") from None
            except DoesNotFit as error:
                raise DoesNotFit(str(error), _faults_of(number, error)) from None
            await asyncio.sleep(0)  # others have their turn: 16 MiB take a while
        return digest_of_list("jobs", written)

    async def accept(
        self, owner: str, items: Sequence[bytes], traceparent: str | None = None, key: Key | None = None
    ) -> list[NewJob]:
        """In order. Raises MalformedBody or BodyTooLarge for the first that is so, DoesNotFit for all that do not fit.

        Raises BlobsUnavailable, DatabaseUnavailable.
        """
        accepted: list[NewJob] = []
        faults: list[Fault] = []
        misfits = 0
        allowance = self._intake.allowance()
        for number, item in enumerate(items):
            self._check_size(number, item)
            try:
                own_key = key if number == 0 else None
                accepted.append(await self._intake.accept(owner, item, traceparent, own_key, allowance))
            except UnknownModel as error:
                misfits += 1
                faults.append(Fault(f"/jobs/{number}/model", str(error)))
            except DoesNotFit as error:
                misfits += 1
                faults += _faults_of(number, error)[:MAX_FAULTS_EACH]
            except (BodyTooLarge, MalformedBody) as error:
                raise type(error)(f"/jobs/{number}: {error}") from None
            await asyncio.sleep(0)
        if misfits:
            raise DoesNotFit(f"{misfits} of {len(items)} jobs do not fit: none is stored.", faults[:MAX_FAULTS])
        return _together(accepted)

    def _check_size(self, number: int, item: bytes) -> None:
        if len(item) > self._largest:
            raise BodyTooLarge(f"/jobs/{number}: a submission may have {self._largest} bytes.")


def _faults_of(number: int, error: DoesNotFit) -> list[Fault]:
    return [Fault(f"/jobs/{number}{fault.path}", fault.message) for fault in error.faults]


def _together(accepted: Sequence[NewJob]) -> list[NewJob]:
    """A batch is read back by its ids: they are in its order, also where the clock went backwards in between."""
    batch_id, ids = uuid7(), sorted(job.id for job in accepted)
    return [
        msgspec.structs.replace(job, id=job_id, batch_id=batch_id) for job, job_id in zip(accepted, ids, strict=True)
    ]
