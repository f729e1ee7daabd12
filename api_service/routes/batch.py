"""POST /v1/jobs/batch."""

from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

from fastapi import Request, Response

from api_service.batch import BatchSubmission, split_batch
from api_service.body import read_json
from api_service.caller import Scope, caller_of
from api_service.documentation import IDEMPOTENCY_KEY, OVER_QUOTA, REPLAYED, WAITING_EXAMPLE, answer, problems, schema
from api_service.idempotency import Key, parse_key
from api_service.once import Replay
from api_service.plain_route import PlainRoute, group
from api_service.routes.job_response import JSON
from api_service.runtime import Runtime, runtime_of
from api_service.views import BatchView, render_batch
from shared.database.repetition import read_batch
from shared.errors import AlreadySubmitted
from shared.job import Job, NewJob
from shared.tracing import context_of, traceparent_of

router = group("Jobs", PlainRoute)

_ROUTE = "POST /v1/jobs/batch"
_EXAMPLE = {
    "jobs": [
        {"model": "text-embedding", "input": {"texts": ["The first of two."]}},
        {"model": "text-embedding", "input": {"texts": ["The second."]}, "metadata": {"page": 2}},
    ]
}
_ANSWER = {
    "batch_id": "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c54",
    "jobs": [{name: WAITING_EXAMPLE[name] for name in ("id", "state", "urls")}],
}


@router.post(
    "/v1/jobs/batch",
    summary="Submit many jobs",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        202: answer(
            "All jobs are stored, and will run. In the order of the submission.",
            BatchView,
            headers={"Idempotent-Replayed": REPLAYED},
            example=_ANSWER,
        ),
        **problems(
            details={
                HTTPStatus.BAD_REQUEST: "The body is not JSON, or the Idempotency-Key cannot be one.",
                HTTPStatus.CONFLICT: "The first batch with this Idempotency-Key is still being stored.",
                HTTPStatus.REQUEST_TIMEOUT: "The body did not come to its end.",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large, or the input of one job is; "
                "`detail` says which.",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body says that it is not JSON.",
                HTTPStatus.UNPROCESSABLE_ENTITY: "Not a batch, or some of its jobs do not fit: `errors` says which "
                "and why, a model that there is not among it. Or the Idempotency-Key came with another body before.",
                **OVER_QUOTA,
            }
        ),
    },
    openapi_extra={
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema(BatchSubmission), "example": _EXAMPLE}},
        },
    },
)
async def submit_batch(request: Request) -> Response:
    """Stores up to 1,000 jobs at once, all or none of them. They run, end and are asked for each by itself.

    With an `Idempotency-Key` it may be repeated: the answer is then what there still is of the first batch. The key is
    kept as long as the batch's first job.
    """
    runtime, owner = runtime_of(request), caller_of(request, Scope.SUBMIT).owner
    keys = request.headers.getlist("idempotency-key")
    name = f"{_ROUTE} {parse_key(keys)}" if keys else None
    items = split_batch(await read_json(request, runtime.batch_body_limit))
    traceparent = traceparent_of(context_of(request.headers))
    if name is None:
        return _accepted(await _store(runtime, await runtime.batches.accept(owner, items, traceparent)))
    return await _submit_once(runtime, owner, items, traceparent, Key(name, await runtime.batches.digest(items)))


async def _submit_once(
    runtime: Runtime, owner: str, items: Sequence[bytes], traceparent: str | None, key: Key
) -> Response:
    async def store() -> list[Job] | None:
        accepted = await runtime.batches.accept(owner, items, traceparent, key)
        try:
            return await _store(runtime, accepted)
        except AlreadySubmitted:
            return None

    stored = await runtime.once.store(owner, key, store)
    if not isinstance(stored, Replay):
        return _accepted(stored)
    batch_id = stored.job.batch_id
    assert batch_id is not None  # what was stored under a key of this route is a batch
    there_is = await read_batch(runtime.database, owner, batch_id)
    runtime.statuses.saw(there_is)
    return _answer(batch_id, there_is, {"Idempotent-Replayed": "true"})


async def _store(runtime: Runtime, accepted: Sequence[NewJob]) -> list[Job]:
    with await runtime.quotas.admit(accepted):
        return await runtime.store_together(accepted)


def _accepted(stored: list[Job]) -> Response:
    assert stored[0].batch_id is not None
    return _answer(stored[0].batch_id, stored, {})


def _answer(batch_id: UUID, jobs: list[Job], headers: dict[str, str]) -> Response:
    return Response(render_batch(batch_id, jobs), HTTPStatus.ACCEPTED, headers, JSON)
