"""The OpenAPI document: FastAPI's view of the routes, with schemas made from the types that are really encoded."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api_service.batch import BatchSubmission
from api_service.catalogue_views import ModelList, ModelView, WorkerList
from api_service.dead_letter_views import DeadLetterPage, DeadLetterView
from api_service.event_views import EventList, LogData, MetricsData, ProgressData, StateData
from api_service.health import Readiness
from api_service.problems import Problem
from api_service.statistics_views import StatsView
from api_service.submission import Submission
from api_service.uploads.views import UploadView
from api_service.views import BatchView, JobPage, JobView
from api_service.webhooks.views import DeliveryList, SecretView

DESCRIPTION = """
Asynchronous inference for slow models: submit a job, get its id at once, and ask for it until it has finished.

Everything is JSON; times are RFC 3339 in UTC; ids are UUIDv7. Errors are `application/problem+json` (RFC 9457) with a
stable `code`.
"""
TAGS = [
    {"name": "Jobs", "description": "Submit, ask, follow, list, cancel, retry."},
    {
        "name": "Uploads",
        "description": "Files for inputs to refer to, and inputs that are too large to be sent with a job.",
    },
    {"name": "Webhooks", "description": "Who is told when a job has ended, and what came of it."},
    {"name": "Models and workers", "description": "What can be run, and who runs it."},
    {"name": "Dead letters", "description": "Messages that nobody could read: for operators."},
    {"name": "Statistics", "description": "How the queues are doing."},
    {"name": "Health", "description": "For whoever watches over this process."},
]
_TYPES = (
    Submission,
    BatchSubmission,
    JobView,
    JobPage,
    BatchView,
    UploadView,
    ModelView,
    ModelList,
    WorkerList,
    StatsView,
    DeliveryList,
    SecretView,
    DeadLetterView,
    DeadLetterPage,
    EventList,
    StateData,
    ProgressData,
    LogData,
    MetricsData,
    Readiness,
    Problem,
)


def openapi_document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Torchrelay",
        version="1",
        openapi_version="3.1.0",
        summary="HTTP in, Pub/Sub to a worker, the result in Postgres.",
        description=DESCRIPTION.strip(),
        routes=app.routes,
        tags=TAGS,
    )
    _, schemas = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    document.setdefault("components", {})["schemas"] = schemas
    _drop_framework_errors(document)
    _restore_nulls(document, app)
    _ask_who_it_is(document)
    return document


def _ask_who_it_is(document: dict[str, Any]) -> None:
    """Every call that can be refused for it; those that are open say so."""
    document["components"]["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key: `trk_<id>_<secret>`. A server that is bound to loopback may ask nobody for one.",
        },
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the OpenID Connect issuer that the server trusts (`OIDC_ISSUER`), if it does any.",
        },
    }
    document["security"] = [{"key": []}, {"token": []}]
    for path in document["paths"].values():
        for operation in path.values():
            if "401" not in operation["responses"]:
                operation["security"] = []


def _restore_nulls(document: dict[str, Any], app: FastAPI) -> None:
    """FastAPI drops what is None from everything, and examples are answers as they are."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                for status, response in route.responses.items():
                    for media_type, content in response.get("content", {}).items():
                        if "example" in content:
                            described = operation["responses"][str(status)]["content"][media_type]
                            described["example"] = content["example"]


def _drop_framework_errors(document: dict[str, Any]) -> None:
    """FastAPI notes its own 422 wherever a route has a parameter; ours are problems, and noted where there are any."""
    for path in document["paths"].values():
        for operation in path.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
