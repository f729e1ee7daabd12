"""Models, workers, statistics, errors, and who may ask."""

import httpx
import pytest

from deploy.local.system import LocalSystem
from tests.end_to_end.client import Client
from tests.end_to_end.contract.asking import UNKNOWN, echo, problem


async def test_models_describe_themselves(http: httpx.AsyncClient) -> None:
    """`{models: […]}` / one: description, queue, tasks, `versions`, schemas, an example input, live workers."""
    models = (await http.get("/v1/models")).json()["models"]
    assert {"digits", "echo"} <= {model["name"] for model in models}
    one = (await http.get("/v1/models/digits")).json()
    listed = next(model for model in models if model["name"] == "digits")
    said = {"name", "description", "queue", "tasks", "example", "input_schema", "output_schema", "training_schema"}
    assert {name: one[name] for name in said} == {name: listed[name] for name in said}
    assert one.keys() == listed.keys() >= said | {"versions", "live_workers"}  # which change while workers come and go
    assert all(version.keys() >= {"version", "metrics", "state", "default"} for version in one["versions"])
    problem(await http.get("/v1/models/nothing"), 404)


async def test_a_version_is_promoted(http: httpx.AsyncClient) -> None:
    """200; n is the default version for jobs submitted from now on."""
    answer = await http.post("/v1/models/echo/versions/1/promote")
    assert (answer.status_code, answer.json()["name"]) == (200, "echo")
    problem(await http.post("/v1/models/echo/versions/99/promote"), 404)
    problem(await http.post("/v1/models/nothing/versions/1/promote"), 404)


async def test_workers_and_statistics(http: httpx.AsyncClient) -> None:
    """Who is alive with which models and device; per queue: counts, oldest waiting age, done per minute, percentiles."""
    await http.post("/v1/jobs", json=echo(), headers={"Prefer": "wait=20"})
    workers = (await http.get("/v1/workers")).json()["workers"]
    assert any(worker["alive"] and worker["device"] for worker in workers)
    stats = await http.get("/v1/stats")
    assert stats.status_code == 200
    assert any(queue["queue"] == "echo" for queue in stats.json()["queues"])


async def test_health_is_open(http: httpx.AsyncClient) -> None:
    """Liveness; readiness; Prometheus; the API's documentation."""
    for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/"):
        assert (await http.get(path)).status_code == 200, path
    assert (await http.get("/openapi.json")).json()["openapi"].startswith("3.1")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"model": "echo", "input": 1}}', b"nan"])
async def test_what_is_no_json_is_malformed(http: httpx.AsyncClient, body: bytes) -> None:
    """400 not JSON."""
    problem(await http.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"}), 400)


async def test_another_type_of_body_is_refused(http: httpx.AsyncClient) -> None:
    """415."""
    problem(await http.post("/v1/jobs", content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    gzipped = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    problem(await http.post("/v1/jobs", content=b"{}", headers=gzipped), 415)


async def test_a_large_input_is_told_of_uploads(http: httpx.AsyncClient) -> None:
    """413 too large (says to use uploads)."""
    body = problem(await http.post("/v1/jobs", json=echo("x" * 1_200_000)), 413)
    assert "/v1/uploads" in body["detail"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "/model"),
        ({"model": "echo"}, "/input"),
        ({"model": 1, "input": {}}, "/model"),
        (echo(extra=1) | {"surplus": 1}, "/surplus"),
        (echo(queue_ttl=-1), "/queue_ttl"),
        (echo(max_attempts=0), "/max_attempts"),
        (echo(metadata=[1]), "/metadata"),
        ({"model": "echo", "input": {"value": 1, "behave": "dance"}}, "/input/behave"),
        (echo(task="training"), "/task"),
    ],
)
async def test_what_does_not_fit_says_where(http: httpx.AsyncClient, body: object, path: str) -> None:
    """`errors: [{path, message}]` (JSON Pointers) for a body that does not fit."""
    problem(await http.post("/v1/jobs", json=body), 422, path)


async def test_an_unknown_model_is_not_found(http: httpx.AsyncClient) -> None:
    """404 not there."""
    assert "echo" in problem(await http.post("/v1/jobs", json={"model": "nothing", "input": 1}), 404)["detail"]
    problem(await http.post("/v1/jobs", json=echo(version=99)), 404)


async def test_another_method_names_those_there_are(http: httpx.AsyncClient) -> None:
    """RFC 9110: 405 with `Allow`."""
    for path, allowed in (("/v1/jobs", {"GET", "POST"}), (f"/v1/jobs/{UNKNOWN}", {"GET", "DELETE"})):
        answer = await http.patch(path)
        problem(answer, 405)
        assert {method.strip() for method in answer.headers["Allow"].split(",")} >= allowed


async def test_credentials_are_checked_where_they_are_sent(http: httpx.AsyncClient) -> None:
    """401 (with `WWW-Authenticate`) no or bad credentials."""
    answer = await http.get("/v1/jobs", headers={"Authorization": "Bearer trk_abc_wrong"})
    problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_foreign_pages_are_refused_where_nobody_is_asked(
    contract: tuple[LocalSystem, Client], http: httpx.AsyncClient
) -> None:
    """Without authentication only while bound to loopback; the Host header is then checked."""
    problem(await http.get("/v1/jobs", headers={"Host": "evil.example"}), 403)
    problem(await http.post("/v1/jobs", json=echo(), headers={"Origin": "https://evil.example"}), 403)
