"""Tokens of an OpenID Connect issuer, such as Google's ID tokens: who they say that their bearer is."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from api_service.authentication.signing_keys import SigningKeys
from api_service.caller import Caller, Scope
from api_service.errors import InvalidToken

# Nothing symmetric: what verifies then is public, and everybody could sign with it. And never "none".
ALGORITHMS = frozenset({"RS256", "ES256"})
LEEWAY = 30.0  # seconds that the issuer's clock and ours may differ
CLAIMS = ("exp", "iat", "iss", "aud")  # that a token must have

REMEMBERED = 60.0  # seconds that a token which was found good is not verified again
MAX_REMEMBERED = 10_000
LONGEST_OWNER = 255

# Google writes it both ways: https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
_ALSO_KNOWN_AS = {"https://accounts.google.com": "accounts.google.com"}


@dataclass(frozen=True, slots=True)
class IssuerRules:
    """What a token must say, and what it allows then.

    owner_claim: the claim that is the owner. verified_claim: one that must be true besides, None: none.
    admins: the owners with the scope `admin`, too.
    """

    issuer: str
    audience: str
    owner_claim: str
    verified_claim: str | None
    scopes: frozenset[Scope]
    admins: frozenset[str]


class IdTokens:
    """clock: seconds since 1970, by which tokens expire."""

    def __init__(self, rules: IssuerRules, keys: SigningKeys, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._issuers = [rules.issuer, _ALSO_KNOWN_AS.get(rules.issuer, rules.issuer)]
        self._keys = keys
        self._clock = clock
        self._remembered: dict[bytes, tuple[Caller, float]] = {}  # by the token's hash, and until when

    async def caller(self, text: str) -> Caller:
        """Raises InvalidToken, or IssuerUnavailable where a key is needed that cannot be had."""
        name = hashlib.sha256(text.encode()).digest()
        known = self._remembered.get(name)
        if known is not None and self._clock() < known[1]:
            return known[0]
        claims = await self._verified(text)
        caller = self._caller_of(claims)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[name] = caller, min(float(claims["exp"]), self._clock() + REMEMBERED)
        return caller

    async def _verified(self, text: str) -> Mapping[str, Any]:
        kid, algorithm = _named_key(text)
        key = await self._keys.find(kid)
        # The key says which algorithm it is for, the token does not get to choose.
        if key is None or key.algorithm != algorithm:
            raise InvalidToken("The token is signed with a key that its issuer does not have.")
        try:
            claims: Mapping[str, Any] = jwt.decode(
                text,
                key.key,
                algorithms=[key.algorithm],
                audience=self._rules.audience,
                issuer=self._issuers,
                leeway=LEEWAY,
                options={"require": list(CLAIMS)},
            )
        except jwt.PyJWTError as error:
            raise InvalidToken(f"The token is not good: {_lowered(str(error))}.") from None
        return claims

    def _caller_of(self, claims: Mapping[str, Any]) -> Caller:
        rules = self._rules
        owner = claims.get(rules.owner_claim)
        if not isinstance(owner, str) or not 0 < len(owner) <= LONGEST_OWNER or "\0" in owner:
            raise InvalidToken(f"The token has no claim `{rules.owner_claim}` that could be an owner.")
        if rules.verified_claim is not None and claims.get(rules.verified_claim) is not True:
            raise InvalidToken(f"The token's issuer has not verified its `{rules.owner_claim}`.")
        return Caller(owner, rules.scopes | ({Scope.ADMIN} if owner in rules.admins else set()))


def _named_key(text: str) -> tuple[str, str]:
    """-> the id of the key that it is signed with, and the algorithm. Raises InvalidToken."""
    try:
        header = jwt.get_unverified_header(text)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidToken("This is neither an API key nor a token.") from None
    kid, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise InvalidToken(f"Tokens are taken that are signed by {' or '.join(sorted(ALGORITHMS))}.")
    if not isinstance(kid, str):
        raise InvalidToken("The token does not say which key it is signed with.")
    return kid, algorithm


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
