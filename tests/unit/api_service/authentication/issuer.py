"""An OpenID Connect issuer on this machine: discovery and keys over HTTP, tokens by hand."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

AUDIENCE = "torchrelay-test"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
STRANGE_KEY = rsa.generate_private_key(65537, 2048)  # somebody else's


class Issuer:
    """fetched: the paths that were asked for. answer: instead of what it should be, if set."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, Any] = {"rsa-1": RSA_KEY, "ec-1": EC_KEY}
        self.fetched: list[str] = []
        self.answer: Response | None = None
        self.discovered: dict[str, Any] = {}

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/keys"

    def token(self, key: Any = RSA_KEY, kid: str | None = "rsa-1", algorithm: str = "RS256", **claims: Any) -> str:
        """A good one, but for what is given. A claim that is None is left out."""
        now = time.time()
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "4711",
            "email": "ann@example.com",
            "email_verified": True,
            "iat": now,
            "exp": now + 600,
        }
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(said, key, algorithm, headers={} if kid is None else {"kid": kid})

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/.well-known/openid-configuration", self._discovery), Route("/keys", self._jwks)]
        )

    async def _discovery(self, request: Request) -> Response:
        self.fetched.append(request.url.path)
        return self.answer or JSONResponse({"issuer": self.url, "jwks_uri": self.jwks_url} | self.discovered)

    async def _jwks(self, request: Request) -> Response:
        self.fetched.append(request.url.path)
        return self.answer or JSONResponse({"keys": [public(kid, key) for kid, key in self.keys.items()]})


def public(kid: str, key: Any) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    config = uvicorn.Config(issuer.app(), host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="none")
    one = uvicorn.Server(config)
    one.config.load()
    one.lifespan = config.lifespan_class(config)
    await one.startup()
    port = one.servers[0].sockets[0].getsockname()[1]
    issuer.url = f"http://127.0.0.1:{port}"
    try:
        yield issuer
    finally:
        await one.shutdown()
