"""Methods that a path has not."""

import re

import httpx
import pytest

JOB = "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", {"GET", "POST"}),
        ("TRACE", "/v1/jobs", {"GET", "POST"}),
        ("GET", "/v1/jobs/batch", {"POST"}),
        ("OPTIONS", "/v1/webhook-secret", {"GET", "POST"}),
        ("POST", "/v1/stats", {"GET"}),
        ("GET", "/v1/models/reverse/versions/1/promote", {"POST"}),
    ],
)
async def test_allow_names_all_that_there_are(
    any_client: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    """RFC 9110, section 15.5.6: those of the path, whichever routes they belong to."""
    answer = await any_client.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


async def test_every_path_names_its_methods(any_client: httpx.AsyncClient) -> None:
    """Those that the document has for it."""
    paths = (await any_client.get("/openapi.json")).json()["paths"]

    for path, calls in paths.items():
        answer = await any_client.patch(re.sub(r"{\w+}", "1", path))
        assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json"), path
        assert set(answer.headers["allow"].split(", ")) == {method.upper() for method in calls}, path


async def test_a_path_under_a_job_is_not_mistaken_for_a_batch(any_client: httpx.AsyncClient) -> None:
    for path in ("/v1/jobs/batches", "/v1/jobs/no-such"):
        assert (await any_client.get(path)).json()["code"] == "unknown_job"
    assert (await any_client.get("/v1/jobs/batch/result")).status_code == 404
    assert (await any_client.delete(JOB)).status_code in {404, 405}
