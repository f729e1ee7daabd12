"""What a client submits, and how it becomes a job: read, checked against the model, its defaults filled in."""

import re
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Raw
from uuid_utils.compat import uuid7

from api_service.catalogue_cache import CatalogueCache
from api_service.errors import BodyTooLarge, DoesNotFit, MalformedBody
from api_service.idempotency import Key
from api_service.limits import Limits, said
from api_service.schema_check import pointer
from api_service.uploads.inputs import Allowance, Inputs
from api_service.webhook_field import Webhook, webhook_faults, webhook_text
from api_service.well_formed import check_json
from shared.catalogue import JsonSchema, ModelDescription
from shared.errors import Fault
from shared.job import JsonText, NewJob
from shared.states import Task

NOTHING = Raw(b"null")  # what a Raw field holds that was left out: Raw cannot be optional


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job to be run. What is left out is the model's default, or else the system's."""

    model: Annotated[str, Meta(description="See /v1/models.", examples=["digits"])]
    input: Annotated[
        Raw,
        Meta(
            description='What the model is given: JSON that fits its `input_schema`, or `{"upload": "<id>"}` of an upload '
            "with such a document."
        ),
    ]
    version: Annotated[int, Meta(description="The model's default version if left out.")] | None = None
    task: Task = Task.INFERENCE
    queue_ttl: Annotated[float, Meta(gt=0, description="Seconds that it may wait before it expires.")] | None = None
    execution_timeout: Annotated[float, Meta(gt=0, description="Seconds that one attempt may run.")] | None = None
    max_attempts: Annotated[int, Meta(ge=1, description="How many attempts may end badly.")] | None = None
    metadata: Annotated[
        Raw,
        Meta(
            description="Any JSON object. Given back with the job, never looked into.",
            extra_json_schema={"type": ["object", "null"], "default": None},
        ),
    ] = msgspec.field(default_factory=lambda: NOTHING)
    webhook: Webhook | None = None


_decode = msgspec.json.Decoder(Submission).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_PLACE, _STEP = re.compile(r"(.*) - at `\$(.+)`"), re.compile(r"[.\[]([^.\[\]]+)\]?")
_FIELDS = {field.name: field for field in msgspec.structs.fields(Submission)}


def parse_submission(body: bytes) -> Submission:
    """Raises MalformedBody where it is not JSON, DoesNotFit where it is not a submission."""
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        raise _misfit(body, error) from None
    except RecursionError:
        raise MalformedBody("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise MalformedBody("The body is not UTF-8.") from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"{error}.") from None


def _misfit(body: bytes, error: msgspec.ValidationError) -> Exception:
    """All that is wrong, where the decoder only says what it met first."""
    try:
        given = _decode_fields(body)
    except msgspec.ValidationError:
        check_json(body)
        return DoesNotFit("The body is not an object.", [Fault("", str(error))])
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError) as malformed:
        return MalformedBody(f"{malformed}.")
    faults = [Fault(pointer([name]), "unknown field") for name in given.keys() - _FIELDS.keys()]
    for name, field in _FIELDS.items():
        if name in given:
            faults += _field_faults(name, field.type, given[name])
        elif field.required:
            faults.append(Fault(pointer([name]), "required"))
    return DoesNotFit("The body is not a submission.", faults or [Fault("", str(error))])


def _field_faults(name: str, kind: Any, value: Raw) -> list[Fault]:
    try:
        msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return [_located(pointer([name]), str(error))]
    return []


def _located(path: str, message: str) -> Fault:
    """The decoder says where in the field, in its own words."""
    place = _PLACE.fullmatch(message)
    return Fault(path + _STEP.sub(r"/\1", place[2]), place[1]) if place else Fault(path, message)


class Intake:
    """Turns submissions into jobs that can be stored."""

    def __init__(self, catalogue: CatalogueCache, inputs: Inputs, limits: Limits) -> None:
        self._catalogue = catalogue
        self._inputs = inputs
        self._limits = limits

    def allowance(self) -> Allowance:
        """For all submissions of one request."""
        return Allowance(self._limits.documents_bytes)

    async def accept(
        self,
        owner: str,
        body: bytes,
        traceparent: str | None = None,
        key: Key | None = None,
        allowance: Allowance | None = None,
    ) -> NewJob:
        """allowance: what is left of the request's, if it submits several.

        Raises MalformedBody, BodyTooLarge, UnknownModel, DoesNotFit, BlobsUnavailable or DatabaseUnavailable.
        """
        submission = parse_submission(body)
        input_bytes = bytes(submission.input)
        most = self._limits.input_bytes
        if len(input_bytes) > most:
            raise BodyTooLarge(f"The input may have {most} bytes. Larger ones go through /v1/uploads.")
        input_text, metadata = _text(input_bytes), self._metadata(submission.metadata)
        model = (await self._catalogue.version(submission.model, submission.version)).description
        limits = self._limits.of(model)
        faults = _limit_faults(submission, limits)
        if submission.webhook is not None:
            faults += webhook_faults(submission.webhook, limits.webhook_urls)
        uploads: tuple[UUID, ...] = ()
        schema = _schema(model, submission.task)
        if schema is None:
            faults.append(Fault("/task", f"the model's tasks are: {', '.join(model.tasks)}"))
        else:
            versioned = (model.name, model.version, submission.task)
            checked = await self._inputs.check(owner, versioned, schema, input_bytes, allowance or self.allowance())
            faults += checked.faults
            uploads = checked.uploads
        if faults:
            raise DoesNotFit("The submission does not fit the model or the limits.", faults)
        return NewJob(
            id=uuid7(),
            owner=owner,
            task=submission.task,
            model=model.name,
            version=model.version,
            queue=model.queue,
            input=input_text,
            metadata=metadata,
            queue_ttl=said(submission.queue_ttl, otherwise=limits.default_queue_ttl),
            execution_timeout=said(submission.execution_timeout, otherwise=limits.default_execution_timeout),
            max_attempts=said(submission.max_attempts, otherwise=limits.default_max_attempts),
            traceparent=traceparent,
            webhook=None if submission.webhook is None else webhook_text(submission.webhook),
            idempotency_key=None if key is None else key.name,
            idempotency_hash=None if key is None else key.digest,
            result_retention=limits.result_retention,
            row_retention=limits.row_retention,
            uploads=uploads,
        )

    def _metadata(self, raw: Raw) -> JsonText | None:
        text = bytes(raw)
        if text == bytes(NOTHING):
            return None
        if not text.startswith(b"{"):
            raise DoesNotFit("The metadata is not an object.", [Fault("/metadata", "Expected `object`")])
        if len(text) > self._limits.metadata_bytes:
            raise BodyTooLarge(f"The metadata may have {self._limits.metadata_bytes} bytes.")
        return _text(text)


def _limit_faults(submission: Submission, limits: Limits) -> list[Fault]:
    asked = (
        ("queue_ttl", submission.queue_ttl, limits.max_queue_ttl),
        ("execution_timeout", submission.execution_timeout, limits.max_execution_timeout),
        ("max_attempts", submission.max_attempts, limits.max_max_attempts),
    )
    return [
        Fault(f"/{name}", f"at most {most:.15g}") for name, value, most in asked if value is not None and value > most
    ]


def _schema(model: ModelDescription, task: Task) -> JsonSchema | None:
    """What the input must fit; None: the model does not do this task."""
    if task not in model.tasks:
        return None
    return model.input_schema if task is Task.INFERENCE else model.training_schema


def _text(raw: bytes) -> JsonText:
    """Raises MalformedBody where it is not UTF-8: the decoder skips over what it need not look into."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise MalformedBody("The body is not UTF-8.") from None
