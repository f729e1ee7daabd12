"""Errors as application/problem+json."""

import json

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api_service import problems
from api_service.errors import DoesNotFit
from api_service.problems import KINDS, render
from shared.errors import BrokerUnavailable, DatabaseUnavailable, Fault, TorchrelayError, UnknownJob


def test_a_problem_says_what_kind_it_is_and_of_which_status() -> None:
    answer = render(UnknownJob("There is no job 7."))

    assert answer.media_type == "application/problem+json"
    assert json.loads(bytes(answer.body)) == {
        "type": "urn:torchrelay:problem:unknown_job",
        "title": "No such job",
        "status": 404,
        "detail": "There is no job 7.",
        "code": "unknown_job",
    }


def test_faults_are_listed() -> None:
    answer = render(DoesNotFit("No.", [Fault("/a", "too large")]))

    assert json.loads(bytes(answer.body))["errors"] == [{"path": "/a", "message": "too large"}]


def test_a_subclass_is_rendered_as_its_base_with_its_own_code() -> None:
    class Gone(UnknownJob):
        code = "gone"

    answer = render(Gone("x"))

    assert (answer.status_code, json.loads(bytes(answer.body))["code"]) == (404, "gone")


@pytest.mark.parametrize("error", [DatabaseUnavailable("host 10.0.0.1"), BrokerUnavailable("host 10.0.0.1")])
def test_what_is_not_for_clients_is_not_told(error: TorchrelayError) -> None:
    assert b"10.0.0.1" not in bytes(render(error).body)


def test_unavailable_says_when_to_try_again() -> None:
    answer = render(DatabaseUnavailable(""))

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in KINDS]

    assert len(set(codes)) == len(codes)
    assert TorchrelayError.code not in codes


def test_an_accident_is_500_without_details() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def accident() -> None:
        raise RuntimeError("secret")

    answer = TestClient(app, raise_server_exceptions=False).get("/")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
