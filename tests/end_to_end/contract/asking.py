"""What these tests have in common: bodies, and what an error must look like."""

from typing import Any
from uuid import uuid4

import httpx

UNKNOWN = "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55"


def echo(value: Any = 1, *, seconds: float = 0, behave: str = "ok", **fields: Any) -> dict[str, Any]:
    """The body of a submission."""
    return {"model": "echo", "input": {"value": value, "seconds": seconds, "behave": behave}, **fields}


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def problem(answer: httpx.Response, status: int, *paths: str) -> dict[str, Any]:
    """The answer is a problem of this status, with faults at these places at least."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    assert answer.headers["Content-Type"].partition(";")[0] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body.keys() <= {"type", "title", "status", "detail", "code", "errors"}
    assert all(isinstance(body[name], str) and body[name] for name in ("type", "title", "code"))
    for leak in ("Traceback", "SELECT", "INSERT", ".py", "asyncpg", "/work", "site-packages"):
        assert leak not in answer.text
    assert set(paths) <= {fault["path"] for fault in body.get("errors", ())}, body
    return body
