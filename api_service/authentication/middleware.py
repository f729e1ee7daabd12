"""Every request is somebody's, or it gets no further than what is open to everybody."""

from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from api_service.authentication.authenticator import Authenticator
from api_service.caller import LOCAL_CALLER
from api_service.errors import Unauthenticated
from api_service.host_check import HostCheck
from api_service.problems import render
from shared.errors import TorchrelayError

# What tells nothing of anybody's jobs: how this process is, how to use it, and the page, which asks for a key itself.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/openapi.json", "/docs", "/"})
OPEN_FOLDERS = ("/assets/", "/docs/assets/")


class Authentication:
    """ASGI middleware: puts the caller into the scope; refuses what is not open and comes without good credentials.

    asked: whether everybody has to say who they are. Where that is not so, a request without credentials is the local
    owner's if it was meant for this machine (HostCheck); credentials that are sent are checked all the same.
    open_paths: open to everybody besides those that always are.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Callable[[Scope], Authenticator],
        *,
        asked: bool,
        allowed_hosts: Iterable[str] = (),
        open_paths: Iterable[str] = (),
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._asked = asked
        self._open = OPEN_PATHS | frozenset(open_paths)
        self._without_credentials: ASGIApp = app if asked else HostCheck(app, allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._is_open(scope["path"]):
            await self._without_credentials(scope, receive, send)
        elif given := [value for name, value in scope["headers"] if name == b"authorization"]:
            try:
                scope["caller"] = await self._authenticator(scope).caller(given)
            except TorchrelayError as refusal:
                await render(refusal)(scope, receive, send)
            else:
                await self._app(scope, receive, send)
        elif self._asked:
            await render(Unauthenticated("Send an API key: `Authorization: Bearer trk_…`."))(scope, receive, send)
        else:
            scope["caller"] = LOCAL_CALLER
            await self._without_credentials(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in self._open or path.startswith(OPEN_FOLDERS)
