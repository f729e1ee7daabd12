"""Receivers, and a sender that may call this machine."""

import ssl
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from api_service.webhooks.addresses import Address
from api_service.webhooks.rules import UrlRules
from api_service.webhooks.sending import Sender
from tests.integration.webhooks.certificates import Authority
from tests.integration.webhooks.receiver import Receiver, receiving

LOCAL = UrlRules(allow_http=True, networks=(ip_network("127.0.0.0/8"),))
STRICT = UrlRules(allow_http=True)
HERE = ip_address("127.0.0.1")


class Names:
    """A resolver that answers each look-up of a name with what comes next; the last answer stays. asked: in order."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        left = self._answers.get(host.partition(".")[0])
        if left is None:
            raise OSError("no such name")
        return [ip_address(text) for text in (left.pop(0) if len(left) > 1 else left[0])]


MakeSender = Callable[..., Sender]


@pytest.fixture
def make_sender() -> MakeSender:
    """A sender to whom every name is this machine, where nothing else is said."""

    def make(
        rules: UrlRules = LOCAL,
        names: Names | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float = 5.0,
        **limits: Any,
    ) -> Sender:
        async def here(_host: str, _port: int) -> list[Address]:
            return [HERE]

        context = tls or ssl.create_default_context()
        return Sender(rules, names or here, context, **({"connect_timeout": 2.0, "timeout": timeout} | limits))

    return make


@pytest.fixture(scope="session")
async def _receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    _receiver.forget()
    return _receiver


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
async def _tls_receiver(authority: Authority) -> AsyncIterator[Receiver]:
    async with receiving(certificate_of(authority)) as one:
        yield one


@pytest.fixture
def tls_receiver(_tls_receiver: Receiver) -> Receiver:
    """Its certificate is for hook.example.com."""
    _tls_receiver.forget()
    return _tls_receiver


def certificate_of(authority: Authority, host: str = "hook.example.com") -> Path:
    return authority.certificate(host)
