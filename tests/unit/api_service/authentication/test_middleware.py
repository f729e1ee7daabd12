"""Who gets how far."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from api_service.authentication.authenticator import Authenticator
from api_service.authentication.middleware import Authentication
from api_service.caller import LOCAL_CALLER, Caller
from tests.unit.api_service.authentication.key_table import KeyTable, text

OPEN = ["/", "/docs", "/docs/assets/x.js", "/assets/index.js", "/openapi.json", "/healthz", "/readyz"]


class NoTokens:
    """Knows a token when it sees one."""

    async def caller(self, text: str) -> Caller:
        return Caller(f"whoever {text} is", frozenset())


@dataclass
class Behind:
    """What is behind the middleware: notes who came, answers with 200."""

    asked: bool
    table: KeyTable = field(default_factory=KeyTable)
    tokens: NoTokens | None = None
    came: list[Caller | None] = field(default_factory=list)

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        self.came.append(scope.get("caller"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def get(self, path: str, *headers: tuple[str, str], **options: Any) -> httpx.Response:
        authenticator = Authenticator(self.table.known, self.tokens)
        app = Authentication(self, lambda _: authenticator, asked=self.asked, **options)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(path, headers=list(headers))


def bearer(given: str, scheme: str = "Bearer") -> tuple[str, str]:
    return ("Authorization", f"{scheme} {given}")


@pytest.mark.parametrize("path", OPEN)
async def test_what_tells_nothing_is_open_to_everybody(path: str) -> None:
    behind = Behind(asked=True)

    assert (await behind.get(path)).status_code == 200
    assert (await behind.get(path, bearer("nonsense"))).status_code == 200
    assert behind.came == [None, None]
    assert behind.table.asked == []


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/anything/new", "/metrics", "/assets", "/docsx", "/healthz/"])
async def test_all_else_is_not(path: str) -> None:
    behind = Behind(asked=True)

    answer = await behind.get(path)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert behind.came == []


async def test_more_can_be_open() -> None:
    assert (await Behind(asked=True).get("/metrics", open_paths=["/metrics"])).status_code == 200


@pytest.mark.parametrize("asked", [True, False])
async def test_a_good_key_is_its_owner(*, asked: bool) -> None:
    behind = Behind(asked)
    given = behind.table.add(1, "ann")

    for scheme in ("Bearer", "bearer", "BEARER", "Bearer "):
        assert (await behind.get("/v1/jobs", bearer(given, scheme))).status_code == 200

    assert {caller.owner for caller in behind.came if caller} == {"ann"}
    assert len(behind.came) == 4


@pytest.mark.parametrize("asked", [True, False])
async def test_a_bad_key_is_refused_also_where_nobody_is_asked(*, asked: bool) -> None:
    behind = Behind(asked)

    answer = await behind.get("/v1/jobs", bearer(text(1)))

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert behind.came == []


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "", "trk_1_2"])
async def test_other_credentials_are_none(header: str) -> None:
    answer = await Behind(asked=False).get("/v1/jobs", ("Authorization", header))

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_two_that_say_who_they_are_are_nobody() -> None:
    behind = Behind(asked=True)
    given = behind.table.add(1)

    assert (await behind.get("/v1/jobs", bearer(given), bearer(given))).status_code == 401


async def test_where_nobody_is_asked_everybody_is_the_local_owner() -> None:
    behind = Behind(asked=False)

    await behind.get("/v1/jobs")

    assert behind.came == [LOCAL_CALLER]


@pytest.mark.parametrize("path", ["/v1/jobs", "/", "/openapi.json"])
async def test_where_nobody_is_asked_the_host_must_be_this_machines(path: str) -> None:
    foreign = ("Host", "evil.example")

    assert (await Behind(asked=False).get(path, foreign)).status_code == 403
    assert (await Behind(asked=False).get(path, foreign, allowed_hosts=["evil.example"])).status_code == 200
    assert (await Behind(asked=False).get(path, ("Origin", "http://evil.example"))).status_code == 403


async def test_with_credentials_the_host_makes_no_difference() -> None:
    behind = Behind(asked=False)
    given = behind.table.add(1)

    answer = await behind.get("/v1/jobs", bearer(given), ("Host", "evil.example"), ("Origin", "http://evil.example"))

    assert answer.status_code == 200


async def test_credentials_do_not_open_what_needs_none_to_other_sites() -> None:
    assert (await Behind(asked=False).get("/", bearer("x"), ("Host", "evil.example"))).status_code == 403


async def test_where_everybody_is_asked_the_host_makes_no_difference() -> None:
    assert (await Behind(asked=True).get("/", ("Host", "evil.example"))).status_code == 200


async def test_a_database_that_is_away_is_503() -> None:
    behind = Behind(asked=True)
    behind.table.away = True

    answer = await behind.get("/v1/jobs", bearer(text(1)))

    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert "Retry-After" in answer.headers


async def test_what_is_no_key_is_a_token_where_tokens_are_taken() -> None:
    behind = Behind(asked=True, tokens=NoTokens())
    given = behind.table.add(1, "ann")

    await behind.get("/v1/jobs", bearer("a.b.c"))
    await behind.get("/v1/jobs", bearer(given))
    refused = await behind.get("/v1/jobs", bearer("trk_abc_wrong"))

    assert [caller.owner for caller in behind.came if caller] == ["whoever a.b.c is", "ann"]
    assert refused.status_code == 401
