"""The OpenAPI document tells all of every call, and its examples are true."""

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from api_service.app import create_app
from api_service.settings import ApiSettings
from shared.settings import DatabaseSettings

DOCUMENT: dict[str, Any] = create_app(
    ApiSettings(api_host="127.0.0.1"), DatabaseSettings(database_url="postgresql://nowhere/x")
).openapi()
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
OPEN = {"GET /healthz", "GET /readyz"}


def contents(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """All bodies of a call that are documented: (where, media type object)."""
    operation = OPERATIONS[name]
    parts = {f"response {status}": response for status, response in operation["responses"].items()}
    if "requestBody" in operation:
        parts["request"] = operation["requestBody"]
    for part, described in parts.items():
        for media_type, content in described.get("content", {}).items():
            yield f"{part} {media_type}", content


def examples(of: dict[str, Any]) -> list[Any]:
    alone = [of["example"]] if "example" in of else []
    return alone + [one["value"] for one in of.get("examples", {}).values()]


def validator(schema: dict[str, Any]) -> Any:
    return jsonschema_rs.Draft202012Validator({**copy.deepcopy(schema), "components": DOCUMENT["components"]})


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert DOCUMENT["security"] == [{"key": []}, {"token": []}]
    assert {scheme["scheme"] for scheme in DOCUMENT["components"]["securitySchemes"].values()} == {"bearer"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_call_says_what_it_is_for(name: str) -> None:
    operation = OPERATIONS[name]

    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert operation["summary"]
    assert not operation["summary"].endswith(".")
    assert operation["description"]
    assert all(parameter.get("description") for parameter in operation.get("parameters", ()))
    assert all(response["description"] for response in operation["responses"].values())


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_body_has_an_example_that_fits(name: str) -> None:
    for where, content in contents(name):
        assert "schema" in content, where
        assert examples(content), f"{where} has no example"
        if "json" in where or "text/" in where:
            for example in examples(content):
                validator(content["schema"]).validate(example)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_example_of_a_parameter_fits(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", ()):
        for example in examples({**parameter, "examples": {}}):
            validator(parameter["schema"]).validate(example)


@pytest.mark.parametrize("name", OPERATIONS)
def test_refusals_are_documented_but_where_everybody_may_ask(name: str) -> None:
    operation = OPERATIONS[name]
    if name in OPEN:
        assert operation["security"] == []
        return

    assert {"401", "403", "503"} <= operation["responses"].keys()
    assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
    assert "Retry-After" in operation["responses"]["503"]["headers"]
    for status, response in operation["responses"].items():
        if status >= "400":
            assert list(response["content"]) == ["application/problem+json"]


@pytest.mark.parametrize("name", ["POST /v1/jobs", "POST /v1/jobs/batch"])
def test_quotas_are_documented(name: str) -> None:
    responses = OPERATIONS[name]["responses"]
    assert "Retry-After" in responses["429"]["headers"]
    assert "queue_full" in responses["503"]["description"]


def test_calls_have_names_of_their_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)
