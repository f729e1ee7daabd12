"""Where nobody is asked who they are, only requests without credentials that are meant for this machine are answered.

A page on the web can make its visitor's browser send requests to 127.0.0.1: by giving its own name that address (DNS
rebinding; then `Host` is the page's), or simply by posting across origins (then `Origin` is the page's).
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from api_service.errors import ForeignHost
from api_service.problems import render

ALWAYS = ("localhost", "127.0.0.1", "::1", "*.localhost")
# Asked by their address by whoever watches over this process; they tell nothing.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})


class HostCheck:
    """ASGI middleware: 403 for a `Host`, or an `Origin`, that is not on the list."""

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        hosts = {host.lower() for host in (*ALWAYS, *allowed)}
        self._app = app
        self._names = frozenset(hosts)
        self._suffixes = tuple(host[1:] for host in hosts if host.startswith("*."))
        # Hosts seen and found good, as sent: clients repeat themselves. Never more than there are ports.
        self._known: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            await render(ForeignHost(refusal))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        host = origin = None
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"origin":
                origin = value
        if scope["path"] in OPEN_PATHS:
            return None
        if host is None or not (host in self._known or self._serves("//" + host.decode("latin-1"))):
            return "The Host header names a host that is not served here. ALLOWED_HOSTS adds some."
        if len(self._known) < 64:
            self._known.add(host)
        if origin is not None and not self._serves(origin.decode("latin-1")):
            return "The request comes from a page of another site. ALLOWED_HOSTS adds some."
        return None

    def _serves(self, url: str) -> bool:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            return False
        return host in self._names or host.endswith(self._suffixes)
