"""Keys and tokens, from the header to the row."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from api_service.server import Server
from shared.database.keys import create_key, revoke_key
from shared.database.pool import Database
from tests.integration.api.keys import SUBMISSION, Guarded, guarding, submitted
from tests.unit.api_service.authentication.issuer import AUDIENCE, issuing


@pytest.fixture
async def guarded(database_url: str, db: Database) -> AsyncIterator[Guarded]:
    async with guarding(database_url, db) as guarded:
        yield guarded


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/healthz", "/readyz", "/docs/assets/swagger-ui.css"])
async def test_the_page_and_the_documentation_are_open(guarded: Guarded, path: str) -> None:
    async with guarded.by(None) as nobody:
        assert (await nobody.get(path, headers={"Host": "torch.example"})).status_code == 200


async def test_metrics_are_open_where_a_setting_says_so(database_url: str, db: Database) -> None:
    async with guarding(database_url, db, metrics_open=True) as guarded, guarded.by(None) as nobody:
        assert (await nobody.get("/metrics")).status_code == 200
        assert (await nobody.get("/v1/stats")).status_code == 401


async def test_a_revoked_key_is_refused_within_a_second(guarded: Guarded) -> None:
    """However busy the machine is: what is taken was sent before the second was over."""
    key = await create_key(guarded.db, "ann", ["read"], "")
    async with guarded.by(None, key=key.text) as ann, asyncio.timeout(30):
        assert (await ann.get("/v1/jobs")).status_code == 200
        await revoke_key(guarded.db, key.key.id)
        revoked = time.monotonic()
        while True:
            sent = time.monotonic()
            if (answer := await ann.get("/v1/jobs")).status_code != 200:
                break
            assert sent < revoked + 1
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_a_key_works_as_soon_as_it_is_made(guarded: Guarded) -> None:
    async with guarded.by("ann") as ann:
        assert (await ann.get("/v1/jobs")).status_code == 200


async def test_the_same_idempotency_key_of_two_owners_is_two(guarded: Guarded) -> None:
    headers = {"Idempotency-Key": "the same"}
    async with guarded.by("ann") as ann, guarded.by("bob") as bob:
        assert await submitted(ann, **headers) == await submitted(ann, **headers) != await submitted(bob, **headers)


async def test_owners_have_webhook_secrets_of_their_own(guarded: Guarded) -> None:
    async with guarded.by("ann") as ann, guarded.by("bob") as bob:
        secrets = [(await one.get("/v1/webhook-secret")).json()["secret"] for one in (ann, ann, bob)]
        await bob.post("/v1/webhook-secret")

        assert secrets[0] == secrets[1] != secrets[2]
        assert (await ann.get("/v1/webhook-secret")).json()["secret"] == secrets[0]


async def test_two_keys_of_an_owner_see_the_same_jobs(guarded: Guarded) -> None:
    async with guarded.by("ann", "submit") as one, guarded.by("ann", "read") as other:
        assert (await other.get(f"/v1/jobs/{await submitted(one)}")).status_code == 200


async def test_where_nobody_is_asked_a_key_still_says_who_it_is(one: Server, db: Database) -> None:
    open_to_all = Guarded(db, one)
    async with open_to_all.by("ann") as ann, open_to_all.by(None) as local, open_to_all.by(None, key="no") as nobody:
        theirs = await submitted(ann, Host="torch.example", Origin="https://torch.example")
        ours = await submitted(local)

        assert (await ann.get(f"/v1/jobs/{ours}")).status_code == 404
        assert (await local.get(f"/v1/jobs/{theirs}")).status_code == 200  # it may do everything
        assert (await nobody.get("/v1/jobs")).status_code == 401
        assert (await local.get("/v1/jobs", headers={"Host": "torch.example"})).status_code == 403


async def test_a_key_of_the_local_owner_has_what_was_submitted_without(one: Server, db: Database) -> None:
    open_to_all = Guarded(db, one)
    async with open_to_all.by(None) as nobody, open_to_all.by("local") as local:
        assert (await local.get(f"/v1/jobs/{await submitted(nobody)}")).status_code == 200


async def test_a_token_is_taken_beside_keys(database_url: str, db: Database) -> None:
    async with issuing() as issuer:
        oidc = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_admins": ("root@example.com",)}
        async with (
            guarding(database_url, db, **oidc) as guarded,
            guarded.by(None, key=issuer.token()) as ann,
            guarded.by(None, key=issuer.token(email="root@example.com")) as admin,
            guarded.by("ann@example.com", "read") as by_key,
            guarded.by(None, key=issuer.token(aud="another")) as nobody,
        ):
            job_id = await submitted(ann)

            assert (await by_key.get(f"/v1/jobs/{job_id}")).status_code == 200  # the same owner
            assert (await admin.get(f"/v1/jobs/{job_id}")).status_code == 200
            assert (await ann.get("/metrics")).status_code == 403
            refused = await nobody.post("/v1/jobs", json=SUBMISSION)
            assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")


async def test_no_secret_is_ever_logged(capfd: pytest.CaptureFixture[str], guarded: Guarded) -> None:
    key = await create_key(guarded.db, "ann", ["read"], "")
    wrong = key.text[:-4] + "0000"
    for given in (key.text, wrong, f"x.{key.text}"):
        async with guarded.by(None, key=given) as client:
            answer = await client.get("/v1/jobs/none")
            assert key.text.rpartition("_")[2][:32] not in answer.text + str(answer.headers)

    out, err = capfd.readouterr()
    assert key.text.rpartition("_")[2][:32] not in out + err
    assert "serving" in out + err  # this is where it is written
