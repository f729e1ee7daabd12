"""From the `Authorization` header to a caller (RFC 6750)."""

from collections.abc import Sequence
from typing import Protocol

from api_service.authentication.known_keys import KnownKeys
from api_service.caller import Caller
from api_service.errors import InvalidToken, Unauthenticated
from shared.database.keys import PREFIX

SCHEME = "bearer"
_OUR_KEYS = f"{PREFIX}_"


class Tokens(Protocol):
    """Those of an issuer."""

    async def caller(self, text: str) -> Caller:
        """Raises InvalidToken or IssuerUnavailable."""
        ...


class Authenticator:
    """tokens None: only API keys are taken."""

    def __init__(self, keys: KnownKeys, tokens: Tokens | None) -> None:
        self._keys = keys
        self._tokens = tokens

    async def caller(self, headers: Sequence[bytes]) -> Caller:
        """headers: the values of all `Authorization` headers there are.

        Raises Unauthenticated, DatabaseUnavailable or IssuerUnavailable.
        """
        text = _bearer(headers)
        if self._tokens is None or text.startswith(_OUR_KEYS):
            return await self._keys.caller(text)
        return await self._tokens.caller(text)


def _bearer(headers: Sequence[bytes]) -> str:
    if len(headers) > 1:
        raise InvalidToken("There are several Authorization headers.")
    scheme, _, text = headers[0].decode("latin-1").partition(" ")
    if scheme.lower() != SCHEME:
        raise Unauthenticated("What is taken is `Authorization: Bearer …`, with an API key.")
    return text.strip(" ")
