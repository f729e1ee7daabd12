"""One call of somebody's URL, that cannot be led where nobody but us could go.

The host is looked up once, its addresses are judged, and the connection goes to just the address that was judged; the
certificate must be the host's. Nothing is taken from the environment, nothing is remembered for the next call, no
redirect is followed, and of the answer only the status and `Retry-After` are of interest.
"""

import asyncio
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from api_service.webhooks.addresses import Address
from api_service.webhooks.resolving import Resolve
from api_service.webhooks.rules import Target, UrlRules, read_url

# A host has one or two; who names many does not want to be called.
_ADDRESSES_TRIED = 4
# Of the answer's body: read for politeness, so that who sends a little of it is not cut off.
_BODY_READ = 4096
_BODY_SECONDS = 1.0
# Not told apart: else webhooks would be a way to ask which names there are in a private network.
_NO_ADDRESS = "its host has no address on the public internet"


@dataclass(frozen=True, slots=True)
class Answer:
    """status: None where there was none; `error` then says why. retry_after, seconds: in seconds."""

    status: int | None
    error: str | None
    seconds: float
    retry_after: float | None = None


class _Failure(Exception):
    """The text is for the owner of the job."""


class Sender:
    def __init__(
        self, rules: UrlRules, resolve: Resolve, tls: ssl.SSLContext, *, connect_timeout: float, timeout: float
    ) -> None:
        """Times in seconds; `timeout` is for the whole call."""
        self._rules = rules
        self._resolve = resolve
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._timeout = timeout

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Whatever happens is an answer."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._respond(self._target(url), headers, body)
        except TimeoutError:
            return Answer(None, f"no answer within {self._timeout:g} s", time.monotonic() - began)
        except _Failure as failure:
            return Answer(None, str(failure), time.monotonic() - began)
        return Answer(response.status_code, None, time.monotonic() - began, _retry_after(response))

    def _target(self, url: str) -> Target:
        """Judged again: the rules may have changed since the job was submitted."""
        target = read_url(url)
        if isinstance(target, str) or (wrong := self._rules.wrong_with(url)) is not None:
            raise _Failure(f"its URL {target if isinstance(target, str) else wrong}")
        return target

    async def _respond(self, target: Target, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        failure = _NO_ADDRESS
        for address in await self._addresses(target):
            try:
                return await self._call(target, address, headers, body)
            except httpx.ConnectTimeout:
                failure = f"no connection within {self._connect_timeout:g} s"
            except httpx.ConnectError as error:
                failure = _described(error)
            except (httpx.HTTPError, OSError):
                raise _Failure("it hung up, or did not speak HTTP") from None
        raise _Failure(failure)

    async def _addresses(self, target: Target) -> list[Address]:
        """Looked up once, and judged: these and no others are connected to."""
        try:
            found = [target.address] if target.address else await self._resolve(target.host, target.port)
        except OSError:
            return []
        return [address for address in found if self._rules.permits(address)][:_ADDRESSES_TRIED]

    async def _call(self, target: Target, address: Address, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        request = httpx.Request(
            "POST",
            target.url.copy_with(host=str(address)),
            headers={"Host": _authority(target), **headers},
            content=body,
            # Whom the certificate must be for. The total is the caller's.
            extensions={"sni_hostname": target.host, "timeout": {"connect": self._connect_timeout}},
        )
        # One for each call: a connection is to an address, and must not serve another host at the same address.
        transport = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        async with transport:
            response = await transport.handle_async_request(request)
            try:
                await _read_a_little(response)
            finally:
                await response.aclose()
        return response


async def _read_a_little(response: httpx.Response) -> None:
    read = 0
    with suppress(TimeoutError, httpx.HTTPError, OSError):
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in response.aiter_raw():
                read += len(chunk)
                if read >= _BODY_READ:
                    return


def _authority(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.url.port is None else f"{host}:{target.url.port}"


def _described(error: httpx.ConnectError) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not good: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "it speaks no TLS that we do"
    return "it takes no connections"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds, or a date (RFC 9110, section 10.2.3)."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return (parsedate_to_datetime(text).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError, TypeError):
        return None
