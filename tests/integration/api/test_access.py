"""Every call of the document, asked by those who may not: a call that is added is walked by itself."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from api_service.app import create_app
from api_service.caller import Scope
from api_service.openapi_document import openapi_document
from deploy.local.postgres import Postgres
from shared.database.keys import create_key
from shared.settings import DatabaseSettings
from tests.integration.api.conftest import models_known
from tests.integration.api.keys import Guarded, asking, guarding, submitted
from tests.integration.api.worker import HandWorker

APP = create_app(asking(), DatabaseSettings(database_url="postgresql://nowhere/x"))
DOCUMENT: dict[str, Any] = openapi_document(APP)
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
CALLS = [f"{method.upper()} {path}" for path, one in DOCUMENT["paths"].items() for method in one if method in METHODS]
OPEN = {"GET /healthz", "GET /readyz"}
GUARDED = [call for call in CALLS if call not in OPEN]
# All others read with `read`, and change with `submit`.
NEEDS = {
    "POST /v1/models/{name}/versions/{version}/promote": Scope.ADMIN,
    "GET /metrics": Scope.ADMIN,
    **{call: Scope.ADMIN for call in CALLS if "/dead-letters" in call},
    "GET /v1/webhook-secret": Scope.SUBMIT,  # made when it is first read
}
# What belongs to somebody; everything else in a path is known to everybody.
THEIRS = {"job_id", "upload_id"}
EVERYBODYS = {"name": "reverse", "version": "1", "letter_id": "01990000-0000-7000-8000-000000000000"}
OF_SOMEBODY = [call for call in GUARDED if THEIRS & set(re.findall(r"{(\w+)", call))]
UPLOADS = "POST /v1/uploads"


def needed(call: str) -> Scope:
    return NEEDS.get(call, Scope.READ if call.startswith("GET ") else Scope.SUBMIT)


@dataclass(frozen=True, slots=True)
class Belongings:
    """Of Ann, who has one of everything."""

    client: httpx.AsyncClient
    ids: dict[str, str]

    async def state(self) -> str:
        return str((await self.client.get(f"/v1/jobs/{self.ids['job_id']}")).json()["state"])


async def ask(client: httpx.AsyncClient, call: str, ids: dict[str, str]) -> httpx.Response:
    method, path = call.split(" ")
    return await client.request(method, path.format_map(EVERYBODYS | ids))


@pytest.fixture(scope="module")
async def guarded(postgres: Postgres, migrated: str) -> AsyncIterator[Guarded]:
    postgres.create_database("access", template=migrated)
    url = postgres.url("access")
    async with models_known(url) as db, guarding(url, db) as guarded:
        yield guarded


@pytest.fixture
async def anns(guarded: Guarded) -> AsyncIterator[Belongings]:
    """A job that has succeeded and, once there are any, an upload."""
    worker = HandWorker(guarded.db)
    await worker.join()
    async with guarded.by("ann") as ann:
        job_id = await submitted(ann)
        await worker.succeed(job_id, await worker.begin(job_id), '{"text": "cba"}')
        ids = {"job_id": job_id}
        if UPLOADS in CALLS:
            stored = await ann.post("/v1/uploads", content=b"Ann's", headers={"Content-Type": "text/plain"})
            ids["upload_id"] = stored.json()["id"]
        yield Belongings(ann, ids)


def test_every_part_of_a_path_is_known_here() -> None:
    """A new one: say above whose it is, and let Ann have one if it is somebody's."""
    for call in CALLS:
        assert set(re.findall(r"{(\w+)", call)) <= THEIRS | EVERYBODYS.keys(), call


def test_the_document_says_of_all_calls_but_these_that_they_ask_who_it_is() -> None:
    said = {
        call
        for call in CALLS
        if DOCUMENT["paths"][call.split(" ")[1]][call.split(" ")[0].lower()].get("security") == []
    }
    assert said == OPEN


def test_the_document_leaves_out_nothing_but_pages() -> None:
    hidden = {route.path for route in APP.routes if not (isinstance(route, APIRoute) and route.include_in_schema)}  # type: ignore[attr-defined]
    assert hidden <= {"/", "/docs", "/assets", "/docs/assets", "/openapi.json"}


@pytest.mark.parametrize("call", CALLS)
async def test_who_has_no_credentials_is_asked_for_some(call: str, guarded: Guarded) -> None:
    ids = dict.fromkeys(THEIRS, "01990000-0000-7000-8000-000000000000")
    async with guarded.by(None) as nobody:
        answer = await ask(nobody, call, ids)

    if call in OPEN:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("call", GUARDED)
async def test_a_call_needs_its_scope_and_no_other(call: str, guarded: Guarded) -> None:
    ids = dict.fromkeys(THEIRS, "01990000-0000-7000-8000-000000000000")
    async with guarded.by("carl", *(set(Scope) - {needed(call)})) as carl:
        refused = await ask(carl, call, ids)
    async with guarded.by("carl", needed(call)) as carl:
        allowed = await ask(carl, call, ids)

    assert (refused.status_code, refused.json()["code"]) == (403, "scope_too_small")
    assert "insufficient_scope" in refused.headers["WWW-Authenticate"]
    assert allowed.status_code not in {401, 403}


@pytest.mark.parametrize("call", OF_SOMEBODY)
async def test_what_is_anothers_is_not_there(call: str, guarded: Guarded, anns: Belongings) -> None:
    async with guarded.by("bob") as bob:
        answer = await ask(bob, call, anns.ids)

    assert answer.status_code == 404
    assert await anns.state() == "succeeded"
    assert (await ask(anns.client, call, anns.ids)).status_code != 404  # it is there


@pytest.mark.parametrize("call", [call for call in GUARDED if call.startswith("GET ") and call not in OF_SOMEBODY])
async def test_nothing_of_anothers_is_in_any_list(call: str, guarded: Guarded, anns: Belongings) -> None:
    secret = (await anns.client.get("/v1/webhook-secret")).json()["secret"]
    async with guarded.by("bob") as bob:
        answer = await ask(bob, call, {})

    assert not [one for one in (*anns.ids.values(), secret, '"ann"') if one in answer.text]


async def test_an_admin_sees_everybodys(guarded: Guarded, anns: Belongings) -> None:
    job_id = anns.ids["job_id"]
    async with guarded.by("root", *Scope) as admin, guarded.by("bob") as bob:
        listed = (await admin.get("/v1/jobs")).json()["jobs"]
        assert job_id in {job["id"] for job in listed}
        assert (await admin.get(f"/v1/jobs/{job_id}")).status_code == 200
        assert (await bob.get("/v1/jobs")).json() == {"jobs": [], "next_cursor": None}


async def test_the_status_cache_keeps_owners_apart(guarded: Guarded, anns: Belongings) -> None:
    path = f"/v1/jobs/{anns.ids['job_id']}"
    async with guarded.by("bob") as bob, guarded.by("root", *Scope) as admin:
        for _ in range(3):
            assert (await anns.client.get(path)).status_code == 200
            assert (await admin.get(path)).status_code == 200
            assert (await bob.get(path)).status_code == 404


async def test_a_scope_of_another_version_allows_nothing(guarded: Guarded) -> None:
    key = await create_key(guarded.db, "dora", ["everything"], "")
    async with guarded.by(None, key=key.text) as dora:
        assert (await dora.get("/v1/models")).status_code == 403
