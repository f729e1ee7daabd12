"""How the queues are doing, for people and for Prometheus."""

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse

from api_service.caller import Scope, caller_of
from api_service.documentation import answer, problems
from api_service.metrics import CONTENT_TYPE
from api_service.plain_route import group
from api_service.routes.job_response import JSON
from api_service.runtime import runtime_of
from api_service.statistics_views import StatsView, render_stats

router = group("Statistics")

_EXAMPLE = {
    "queues": [
        {
            "queue": "text-embedding",
            "counts": {
                "queued": 41,
                "running": 32,
                "cancelling": 0,
                "succeeded": 120493,
                "failed": 12,
                "cancelled": 3,
                "expired": 0,
            },
            "oldest_waiting": 1.84,
            "done_per_minute": 912,
            "waiting": {"p50": 0.62, "p95": 1.71, "p99": 2.05},
            "running": {"p50": 1.13, "p95": 1.2, "p99": 1.61},
        }
    ]
}
_METRICS_EXAMPLE = """\
# HELP torchrelay_queue_jobs Unfinished jobs of a queue.
# TYPE torchrelay_queue_jobs gauge
torchrelay_queue_jobs{queue="text-embedding",state="queued"} 41.0
"""


@router.get(
    "/v1/stats",
    summary="See how the queues are doing",
    responses={200: answer("Each queue, by name.", StatsView, example=_EXAMPLE), **problems(details={})},
)
async def get_stats(request: Request) -> Response:
    """How many jobs wait, run and have ended, since when the oldest waits, and how long jobs take.

    Of whole queues, whoever the jobs belong to: numbers, and nothing of what is in them.
    """
    caller_of(request, Scope.READ)
    return Response(render_stats(await runtime_of(request).statistics.of_queues()), media_type=JSON)


@router.get(
    "/metrics",
    summary="Read the metrics",
    response_class=PlainTextResponse,
    responses={
        200: {
            "description": "In Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": _METRICS_EXAMPLE}},
        },
        **problems(details={}),
    },
)
async def get_metrics(request: Request) -> Response:
    """This process, and the queues as a whole. Needs the scope `admin`, unless `METRICS_OPEN` is set."""
    runtime = runtime_of(request)
    if not runtime.metrics_open:
        caller_of(request, Scope.ADMIN)
    return Response(await runtime.metrics.render(), headers={"Content-Type": CONTENT_TYPE})
