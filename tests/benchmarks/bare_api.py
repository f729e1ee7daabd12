"""The limit of HTTP: a FastAPI application that stores nothing, behind the same uvicorn with the same options.

- POST /v1/jobs: the JSON body is read into a pydantic model; 202 with JSON of the size that Torchrelay answers with.
- GET /v1/jobs/{id}: 200 with JSON of that size; with If-None-Match 304 and no body.

The answers are bytes that were made beforehand: whatever it costs to make one is not in the limit.
"""

import argparse
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from api_service.server import server
from deploy.local.ports import HOST

JSON = "application/json"


class Submission(BaseModel):
    model: str
    input: dict[str, Any]


def bare_app(submit_size: int, poll_size: int) -> FastAPI:
    """The sizes are of the answers' bodies, in bytes."""
    app = FastAPI()
    app.state.answer_waiting = lambda: None
    submitted, polled = _json(submit_size), _json(poll_size)

    @app.post("/v1/jobs")
    async def submit(submission: Submission) -> Response:
        return Response(submitted, 202, media_type=JSON)

    @app.get("/v1/jobs/{job_id}")
    async def poll(job_id: str, request: Request) -> Response:
        if "if-none-match" in request.headers:
            return Response(None, 304)
        return Response(polled, 200, media_type=JSON)

    return app


def _json(size: int) -> bytes:
    return b'{"padding":"' + b"x" * (size - 14) + b'"}'


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("submit_size", type=int)
    parser.add_argument("poll_size", type=int)
    given = parser.parse_args()
    server(bare_app(given.submit_size, given.poll_size), HOST, given.port, grace=1).run()


if __name__ == "__main__":
    main()
