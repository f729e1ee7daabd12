"""The public keys that an issuer signs its tokens with (JSON Web Key Set), fetched when they are needed."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api_service.errors import IssuerUnavailable

log = structlog.get_logger(__name__)

LIFETIME = 3600.0  # seconds; then they are fetched again, while those there are go on being good
LONGEST = 24 * 3600.0  # seconds that they are good for while the issuer cannot be reached
PAUSE = 10.0  # seconds between fetches: a token can name any key it likes
TIMEOUT = 5.0  # seconds for each answer
LARGEST = 1024 * 1024  # bytes of an answer; Google's have 1.5 kB
SMALLEST_RSA = 2048  # bits

DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class SigningKey:
    key: RSAPublicKey | EllipticCurvePublicKey
    algorithm: str


class _Unusable(Exception):
    """What the issuer answered is not what it should be."""


class SigningKeys:
    """url: of the key set; None: where the issuer's discovery document says. clock: monotonic seconds."""

    def __init__(self, issuer: str, url: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._url = url
        self._clock = clock
        self._keys: Mapping[str, SigningKey] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> SigningKey | None:
        """None: the issuer has no such key. Raises IssuerUnavailable where that cannot be known."""
        key = self._known(kid)
        if key is not None and self._clock() - self._fetched_at < LIFETIME:
            return key
        fetching = self._fetch_unless_just_tried()
        if key is not None:
            return key
        if fetching is not None:
            await asyncio.shield(fetching)  # one that gives up must not take the others along
        if self._fetched_at < self._tried_at:
            later = max(1, math.ceil(self._tried_at + PAUSE - self._clock()))
            raise IssuerUnavailable("The keys that your token can be checked with cannot be had.", later)
        return self._known(kid)

    def _known(self, kid: str) -> SigningKey | None:
        return self._keys.get(kid) if self._clock() - self._fetched_at < LONGEST else None

    def _fetch_unless_just_tried(self) -> "asyncio.Task[None] | None":
        """-> what is under way, None: nothing."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if self._clock() - self._tried_at < PAUSE:
            return None
        self._tried_at = self._clock()
        self._fetching = asyncio.create_task(self._fetch(self._tried_at))
        return self._fetching

    async def _fetch(self, began: float) -> None:
        try:
            async with asyncio.timeout(2 * TIMEOUT), httpx.AsyncClient(timeout=TIMEOUT) as http:
                url = self._url or await self._discovered(http)
                self._keys = _keys_in(await _json(http, url))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, _Unusable) as error:
            log.warning("an issuer's keys cannot be had", issuer=self._issuer, error=str(error) or type(error).__name__)
        else:
            self._fetched_at = began

    async def _discovered(self, http: httpx.AsyncClient) -> str:
        document = await _json(http, self._issuer.rstrip("/") + DISCOVERY)
        if document.get("issuer") != self._issuer:
            raise _Unusable("its discovery document is another issuer's")
        url = document.get("jwks_uri")
        if not isinstance(url, str) or (self._issuer.startswith("https:") and not url.startswith("https:")):
            raise _Unusable("its discovery document has no jwks_uri, or one that anybody on the way could change")
        return url


async def _json(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """Redirects are not followed: where keys come from is not to be moved by whoever answers."""
    async with http.stream("GET", url, headers={"Accept": "application/json"}) as answer:
        if answer.status_code != httpx.codes.OK:
            raise _Unusable(f"{url} answers with {answer.status_code}")
        body = bytearray()
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > LARGEST:
                raise _Unusable(f"{url} answers with more than {LARGEST} bytes")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _Unusable(f"{url} does not answer with a JSON object") from None


def _keys_in(document: Mapping[str, Any]) -> dict[str, SigningKey]:
    """Those that are of use here; a set may hold others."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise _Unusable("its key set has no keys")
    found = {one["kid"]: _key_of(one) for one in listed if isinstance(one, dict) and isinstance(one.get("kid"), str)}
    return {kid: key for kid, key in found.items() if key is not None}


def _key_of(document: dict[str, Any]) -> SigningKey | None:
    if document.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(document).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    match key:
        case RSAPublicKey() if key.key_size >= SMALLEST_RSA:
            algorithm = "RS256"
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            algorithm = "ES256"
        case _:  # others, and private keys, which have no business there
            return None
    return SigningKey(key, algorithm) if document.get("alg", algorithm) == algorithm else None
