"""Names of hosts to addresses, by the system."""

from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address

import pytest

from api_service.webhooks.resolving import Resolver


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    with closing(Resolver(threads=2)) as one:
        yield one


async def test_a_name_has_its_addresses_each_once(resolver: Resolver) -> None:
    found = await resolver("localhost", 443)
    assert set(found) <= {ip_address("127.0.0.1"), ip_address("::1")}
    assert len(found) == len(set(found)) > 0


async def test_an_address_is_its_own(resolver: Resolver) -> None:
    assert await resolver("192.0.2.1", 443) == [ip_address("192.0.2.1")]


@pytest.mark.parametrize("name", ["a" * 64 + ".example.com", "a..example.com"])
async def test_what_can_be_no_name_has_none(name: str, resolver: Resolver) -> None:
    with pytest.raises(OSError, match="label"):
        await resolver(name, 443)
