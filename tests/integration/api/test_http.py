"""What holds for every request: problems, hosts, pages, the document."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_service.openapi import document

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/jobs/", 404),
        ("DELETE", "/v1/models", 405),
        ("GET", "/v1/jobs/01990000-0000-7000-8000-000000000000/cancel", 405),
        ("GET", "/assets/../../pyproject.toml", 404),
        ("GET", "/assets/%2e%2e/%2e%2e/pyproject.toml", 404),
    ],
)
async def test_what_there_is_not_is_a_problem(
    any_client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await any_client.request(method, path)

    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].startswith("urn:torchrelay:problem:")
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "torch.localhost"])
async def test_this_machines_own_names_are_served(any_client: httpx.AsyncClient, host: str) -> None:
    assert (await any_client.get("/v1/models", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "", "[::1", "10.0.0.1"]
)
async def test_other_names_are_refused(any_client: httpx.AsyncClient, host: str) -> None:
    answer = await any_client.get("/v1/models", headers={"Host": host})

    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_host")
    assert (await any_client.get("/healthz", headers={"Host": "10.0.0.1"})).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://evil.example", 403), ("null", 403), ("http://localhost:5173", 202), ("http://[::1]:8000", 202)],
)
async def test_pages_of_other_sites_cannot_submit(any_client: httpx.AsyncClient, origin: str, status: int) -> None:
    body = b'{"model": "anything", "input": 1}'

    answer = await any_client.post("/v1/jobs", content=body, headers={"Origin": origin})

    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_pages_run_nothing_but_their_own_files(any_client: httpx.AsyncClient, path: str) -> None:
    answer = await any_client.get(path)

    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<style" not in answer.text
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    for script in re.findall(r"<script.*?</script>", answer.text, re.DOTALL):
        assert re.fullmatch(r'<script[^>]* src="/[^>]*></script>', script)
    for asset in _assets(answer.text):
        assert (await any_client.get(asset)).status_code == 200, asset


async def test_the_committed_document_is_the_one_that_is_served(any_client: httpx.AsyncClient) -> None:
    served = (await any_client.get("/openapi.json")).json()

    assert json.loads((ROOT / "openapi.json").read_text()) == served, "run: python -m api_service.openapi"
    assert json.loads(document()) == served


async def test_every_call_is_documented(any_client: httpx.AsyncClient) -> None:
    served = (await any_client.get("/openapi.json")).json()

    assert served["openapi"].startswith("3.1")
    for path, _, call in _calls(served):
        assert call["summary"], path
        assert call["description"], path
        assert call["tags"], path
        assert {parameter["name"] for parameter in call.get("parameters", []) if parameter["in"] == "path"} == {
            part.strip("{}") for part in path.split("/") if part.startswith("{")
        }
        for status, answer in call["responses"].items():
            kinds = answer.get("content", {})
            assert status < "400" or path == "/readyz" or list(kinds) == ["application/problem+json"], (path, status)


async def test_every_reference_in_the_document_leads_somewhere(any_client: httpx.AsyncClient) -> None:
    served = (await any_client.get("/openapi.json")).json()

    for reference in _references(served):
        assert reference.removeprefix("#/components/schemas/") in served["components"]["schemas"], reference


def _assets(html: str) -> list[str]:
    return [part.split('"')[0] for word in ('src="', 'href="') for part in html.split(word)[1:] if part[0] == "/"]


def _calls(served: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in served["paths"].items():
        for method, call in methods.items():
            yield path, method, call


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)
