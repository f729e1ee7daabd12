"""Tokens of an issuer: a real one, over HTTP, with keys made here."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.responses import JSONResponse, RedirectResponse, Response

from api_service.authentication import signing_keys
from api_service.authentication.id_tokens import LEEWAY, REMEMBERED, IdTokens, IssuerRules
from api_service.authentication.signing_keys import LIFETIME, LONGEST, PAUSE, SigningKeys
from api_service.caller import Caller, Scope
from api_service.errors import InvalidToken, IssuerUnavailable
from deploy.local.ports import free_port
from tests.unit.api_service.authentication.issuer import AUDIENCE, EC_KEY, RSA_KEY, STRANGE_KEY, Issuer, issuing, public

GIVEN = frozenset({Scope.SUBMIT, Scope.READ})


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


class Asking:
    """What the API has of an issuer, and clocks."""

    def __init__(self, issuer: Issuer, url: str | None = None, /, **rules: Any) -> None:
        usual = IssuerRules(issuer.url, AUDIENCE, "email", "email_verified", GIVEN, frozenset())
        self.now = 1000.0
        self.later = 0.0  # than it really is, by the calendar
        self.keys = SigningKeys(issuer.url, url, lambda: self.now)
        self.tokens = IdTokens(replace(usual, **rules), self.keys, lambda: time.time() + self.later)

    async def refused(self, token: str) -> str:
        with pytest.raises(InvalidToken) as refusal:
            await self.tokens.caller(token)
        assert token not in str(refusal.value)
        return str(refusal.value)


@pytest.fixture
def asking(issuer: Issuer) -> Asking:
    return Asking(issuer)


@pytest.mark.parametrize(("key", "kid", "algorithm"), [(RSA_KEY, "rsa-1", "RS256"), (EC_KEY, "ec-1", "ES256")])
async def test_a_good_token_is_its_owners(asking: Asking, issuer: Issuer, key: Any, kid: str, algorithm: str) -> None:
    assert await asking.tokens.caller(issuer.token(key, kid, algorithm)) == Caller("ann@example.com", GIVEN)
    assert issuer.fetched == ["/.well-known/openid-configuration", "/keys"]


async def test_keys_may_be_where_a_setting_says(issuer: Issuer) -> None:
    await Asking(issuer, issuer.jwks_url).tokens.caller(issuer.token())

    assert issuer.fetched == ["/keys"]


async def test_the_owner_is_what_the_claim_says(issuer: Issuer) -> None:
    asking = Asking(issuer, owner_claim="sub", verified_claim=None)

    assert (await asking.tokens.caller(issuer.token(email=None, email_verified=None))).owner == "4711"


async def test_an_admin_may_more(issuer: Issuer) -> None:
    asking = Asking(issuer, admins=frozenset({"ann@example.com"}))

    assert (await asking.tokens.caller(issuer.token())).scopes == set(Scope)
    assert (await asking.tokens.caller(issuer.token(email="bob@example.com"))).scopes == GIVEN


async def test_google_may_leave_out_the_scheme_of_its_name(issuer: Issuer) -> None:
    asking = Asking(issuer, issuer.jwks_url, issuer="https://accounts.google.com")

    for name in ("https://accounts.google.com", "accounts.google.com"):
        assert (await asking.tokens.caller(issuer.token(iss=name))).owner == "ann@example.com"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": -LEEWAY - 10},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 3600},
        {"iat": None},
        {"nbf": 3600},
        {"aud": "another"},
        {"aud": None},
        {"aud": ["another", "one more"]},
        {"iss": "https://issuer.example"},
        {"iss": None},
        {"email": None},
        {"email": ""},
        {"email": ["ann@example.com"]},
        {"email": "a" * 256},
        {"email": "ann\0"},
        {"email_verified": None},
        {"email_verified": False},
        {"email_verified": "true"},
    ],
    ids=str,
)
async def test_a_token_that_says_something_else_is_refused(asking: Asking, issuer: Issuer, claims: Any) -> None:
    """Numbers are seconds from now."""
    now = time.time()
    await asking.refused(issuer.token(**{name: _from(now, said) for name, said in claims.items()}))


async def test_clocks_may_differ_a_little(asking: Asking, issuer: Issuer) -> None:
    now = time.time()

    await asking.tokens.caller(issuer.token(exp=now - LEEWAY + 10, iat=now - 600))
    await asking.tokens.caller(issuer.token(iat=now + LEEWAY - 10, nbf=now + LEEWAY - 10))


async def test_a_token_without_a_signature_is_refused(asking: Asking, issuer: Issuer) -> None:
    await asking.refused(issuer.token("", algorithm="none"))
    await asking.refused(issuer.token().rpartition(".")[0] + ".")
    assert "/keys" in issuer.fetched  # only the second one got that far


async def test_what_is_public_is_no_secret_to_sign_with(asking: Asking, issuer: Issuer) -> None:
    """The classic: the public key, taken as the secret of HMAC. PyJWT refuses to write such a token, so by hand."""
    pem = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, body = (_part(one) for one in ({"alg": "HS256", "kid": "rsa-1"}, _claims(issuer)))
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(f"{head}.{body}".encode(), pem)

    await asking.refused(f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


async def test_a_token_of_somebody_elses_key_is_refused(asking: Asking, issuer: Issuer) -> None:
    await asking.refused(issuer.token(STRANGE_KEY))
    await asking.refused(issuer.token(EC_KEY, "rsa-1", "ES256"))
    await asking.refused(issuer.token(RSA_KEY, "rsa-1", "RS512"))
    await asking.refused(issuer.token(kid=None))


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "..", "\xff.\xff.\xff", "A" * 60_000])
async def test_what_is_no_token_is_refused_without_asking_the_issuer(asking: Asking, issuer: Issuer, text: str) -> None:
    with pytest.raises(InvalidToken):
        await asking.tokens.caller(text)
    assert issuer.fetched == []


async def test_a_head_that_is_nested_very_deeply_is_refused(asking: Asking) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 40_000).decode()

    await asking.refused(f"{deep}.e30.e30")


async def test_a_good_token_is_remembered_for_a_while_and_no_longer_than_it_is_good(
    asking: Asking, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = 0
    real = jwt.decode

    def counting(*args: Any, **options: Any) -> Any:
        nonlocal verified
        verified += 1
        return real(*args, **options)

    monkeypatch.setattr(jwt, "decode", counting)
    token, short = issuer.token(), issuer.token(exp=time.time() + 5)
    for _ in range(10):
        await asking.tokens.caller(token)
        await asking.tokens.caller(short)
    assert verified == 2
    asking.later = 6
    await asking.tokens.caller(token)
    await asking.tokens.caller(short)  # by its leeway
    assert verified == 3
    asking.later = REMEMBERED + 1
    await asking.tokens.caller(token)

    assert verified == 4


async def test_a_key_that_is_not_known_is_fetched_but_not_all_the_time(asking: Asking, issuer: Issuer) -> None:
    await asking.tokens.caller(issuer.token())
    for number in range(10):
        await asking.refused(issuer.token(STRANGE_KEY, f"guess {number}"))
    assert issuer.fetched.count("/keys") == 1

    issuer.keys["rsa-2"] = STRANGE_KEY
    asking.now += PAUSE
    await asking.tokens.caller(issuer.token(STRANGE_KEY, "rsa-2"))

    assert issuer.fetched.count("/keys") == 2


async def test_those_who_come_at_once_share_a_fetch(asking: Asking, issuer: Issuer) -> None:
    await asyncio.gather(*(asking.tokens.caller(issuer.token(sub=str(number))) for number in range(20)))

    assert issuer.fetched.count("/keys") == 1


async def test_keys_are_fetched_again_after_a_while_and_nobody_waits_for_it(asking: Asking, issuer: Issuer) -> None:
    await asking.tokens.caller(issuer.token())
    del issuer.keys["rsa-1"]
    asking.now += LIFETIME
    await asking.tokens.caller(issuer.token(sub="1"))
    assert asking.keys._fetching is not None
    await asking.keys._fetching
    asking.now += PAUSE

    await asking.refused(issuer.token(sub="2"))


async def test_an_issuer_that_cannot_be_reached_is_not_taken_for_a_bad_token(issuer: Issuer) -> None:
    gone = Issuer()
    gone.url = f"http://127.0.0.1:{free_port()}"
    asking = Asking(gone)

    with pytest.raises(IssuerUnavailable) as unavailable:
        await asking.tokens.caller(gone.token())

    assert 1 <= unavailable.value.retry_after <= PAUSE


async def test_an_issuer_that_fails_is_asked_again_later(asking: Asking, issuer: Issuer) -> None:
    issuer.answer = Response(status_code=500)
    for _ in range(5):
        with pytest.raises(IssuerUnavailable):
            await asking.tokens.caller(issuer.token())
    assert len(issuer.fetched) == 1
    issuer.answer = None
    asking.now += PAUSE

    assert (await asking.tokens.caller(issuer.token())).owner == "ann@example.com"


async def test_keys_that_are_known_outlast_an_issuer_that_is_away_for_a_day_at_most(
    asking: Asking, issuer: Issuer
) -> None:
    await asking.tokens.caller(issuer.token())
    issuer.answer = Response(status_code=500)
    asking.now += LONGEST - 1
    await asking.tokens.caller(issuer.token(sub="1"))
    asking.now += PAUSE

    with pytest.raises(IssuerUnavailable):
        await asking.tokens.caller(issuer.token(sub="2"))


@pytest.mark.parametrize(
    "answer",
    [
        Response(b"<html>"),
        Response(b"[" * 100_000),
        Response(b"\xff"),
        JSONResponse([1]),
        JSONResponse({}),
        JSONResponse({"keys": 1}),
        RedirectResponse("http://127.0.0.1:1/"),
        Response(b" " * (signing_keys.LARGEST + 1)),
    ],
    ids=["html", "deep", "not utf-8", "list", "no keys", "keys of a kind", "redirect", "large"],
)
async def test_a_key_set_that_is_none_is_as_good_as_no_answer(issuer: Issuer, answer: Response) -> None:
    issuer.answer = answer

    with pytest.raises(IssuerUnavailable):
        await Asking(issuer, issuer.jwks_url).tokens.caller(issuer.token())


@pytest.mark.parametrize("said", [{"issuer": "https://other.example"}, {"jwks_uri": None}, {"jwks_uri": 7}])
async def test_a_discovery_document_must_be_the_issuers(asking: Asking, issuer: Issuer, said: dict[str, Any]) -> None:
    issuer.discovered = said

    with pytest.raises(IssuerUnavailable):
        await asking.tokens.caller(issuer.token())


async def test_keys_of_no_use_are_passed_over() -> None:
    weak, other_curve = rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP384R1())
    document = {
        "keys": [
            public("good", RSA_KEY),
            public("weak", weak),
            public("curve", other_curve),
            public("encrypting", RSA_KEY) | {"use": "enc"},
            public("other", RSA_KEY) | {"alg": "RS512"},
            {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
            {"kty": "RSA", "kid": "broken", "n": "!", "e": 1},
            {"kid": 7},
            "no key",
        ]
    }

    assert signing_keys._keys_in(document).keys() == {"good"}


def _from(now: float, said: Any) -> Any:
    return now + said if type(said) in {int, float} else said


def _claims(issuer: Issuer) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(issuer.token(), options={"verify_signature": False})
    return claims


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()
