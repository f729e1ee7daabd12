"""POST /v1/uploads."""

from http import HTTPStatus

from fastapi import Request, Response

from api_service.caller import Scope, caller_of
from api_service.documentation import answer, problems
from api_service.errors import EncodedBody, MalformedForm
from api_service.plain_route import PlainRoute, group
from api_service.routes.job_response import JSON
from api_service.runtime import runtime_of
from api_service.uploads.views import UploadView, render_upload
from shared.errors import BlobsUnavailable

router = group("Uploads", PlainRoute)

_EXAMPLE = {
    "id": "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c56",
    "size": 48213,
    "content_type": "image/png",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
_FILE = {"type": "string", "format": "binary"}
_BODIES = {
    "application/octet-stream": {
        "schema": _FILE,
        "examples": {"raw": {"summary": "The file itself, under any type", "value": "a,b\n1,2\n"}},
    },
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"file": {**_FILE, "description": "With a filename; the field may have any name."}},
            "required": ["file"],
            "additionalProperties": False,
        },
        "examples": {"form": {"summary": "A form with one file", "value": {"file": "a,b\n1,2\n"}}},
    },
}


@router.post(
    "/v1/uploads",
    summary="Upload a file",
    status_code=HTTPStatus.CREATED,
    responses={
        201: answer("The file is stored.", UploadView, example=_EXAMPLE),
        **problems(
            details={
                HTTPStatus.BAD_REQUEST: "The form cannot be read, or does not have one file and nothing else.",
                HTTPStatus.REQUEST_TIMEOUT: "The body came too slowly, or did not come to its end.",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The file is too large; `detail` says how large one may be.",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body has a Content-Encoding: nothing is decoded here.",
                HTTPStatus.SERVICE_UNAVAILABLE: "The store for files or the database does not answer, or too many uploads "
                "are under way; `Retry-After` says when to try again.",
            },
            examples=(MalformedForm, EncodedBody, BlobsUnavailable),
        ),
    },
    # Without a body it is an empty file.
    openapi_extra={"requestBody": {"required": False, "content": _BODIES}},
)
async def upload_file(request: Request) -> Response:
    """Stores a file for inputs to refer to: the body is the file, or a form with one file in it (`multipart/form-data`).

    An input then says `{"upload": "<id>"}` wherever the model's `input_schema` has a file; or the whole `input` of a
    submission is `{"upload": "<id>"}`, and the file the JSON document that is meant. A file may be empty. It is kept as
    long as a job refers to it, and for a day at least.
    """
    runtime, owner = runtime_of(request), caller_of(request, Scope.SUBMIT).owner
    upload = await runtime.uploads.take(owner, request)
    return Response(render_upload(upload), HTTPStatus.CREATED, media_type=JSON)
