"""Which URLs may be called. What can be seen from the text alone is refused when a job is submitted; the rest when it is called."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import httpx

from api_service.webhooks.addresses import Address, Network, is_permitted

_VISIBLE = re.compile(r"[!-~]+\Z")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?\Z")
_PORTS = {"http": 80, "https": 443}
# Below are the ports of mail, remote shells and the like, and nobody's webhooks.
_LOWEST_FREE_PORT = 1024


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads. `host` is what the certificate must be for; `address`: where the host is an address itself."""

    url: httpx.URL
    host: str
    port: int
    address: Address | None


@dataclass(frozen=True, slots=True)
class UrlRules:
    """networks: private ones that may be called although they are not public."""

    allow_http: bool = False
    networks: tuple[Network, ...] = ()

    def permits(self, address: Address) -> bool:
        return is_permitted(address, self.networks)

    def wrong_with(self, url: str) -> str | None:
        """None: nothing that could be seen without looking up its host."""
        target = read_url(url)
        if isinstance(target, str):
            return target
        if target.url.scheme == "http" and not self.allow_http:
            return "must begin with https://"
        if target.port < _LOWEST_FREE_PORT and target.port not in _PORTS.values():
            return f"names port {target.port}: of those below {_LOWEST_FREE_PORT} only 80 and 443 are called"
        local = IPv4Address("127.0.0.1") if _is_localhost(target.host) else target.address
        if local is not None and not self.permits(local):
            return "leads to an address that is not on the public internet"
        return None


def read_url(url: str) -> Target | str:
    """-> where it leads, or why it leads nowhere. The same reading serves for judging and for calling."""
    if not _VISIBLE.match(url):
        return "has characters that a URL cannot have: encode them"
    try:
        parts = httpx.URL(url)
        host = parts.raw_host.decode("ascii").lower()
    except (httpx.InvalidURL, ValueError) as error:
        return f"not a URL: {error}"
    return _wrong_part(parts) or _target(parts, host)


def _wrong_part(parts: httpx.URL) -> str | None:
    if parts.scheme not in _PORTS:
        return "begins with neither https:// nor http://"
    if parts.userinfo:
        return "names a user: calls are signed, and send no password"
    if parts.port is not None and not 0 < parts.port < 1 << 16:
        return "names a port that cannot be called"
    return None


def _target(parts: httpx.URL, host: str) -> Target | str:
    try:
        address = _address(host)
    except ValueError:
        return "names no host that could be called"
    return Target(parts, host.rstrip("."), parts.port or _PORTS[parts.scheme], address)


def _address(host: str) -> Address | None:
    """None: a name. Raises ValueError for what is neither: also for the many ways of writing an address as a number."""
    if ":" in host and "%" not in host:  # with it, of one link of this machine
        return IPv6Address(host)
    if not _NAME.match(host) or ".." in host:
        raise AddressValueError(host)
    last = host.rstrip(".").rpartition(".")[2]
    return IPv4Address(host.rstrip(".")) if last[0].isdigit() else None


def _is_localhost(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")
