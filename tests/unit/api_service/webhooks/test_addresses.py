"""Which addresses may be connected to."""

from ipaddress import ip_address, ip_network

import pytest

from api_service.webhooks.addresses import is_permitted

PUBLIC = ["1.1.1.1", "9.255.255.255", "11.0.0.0", "172.15.0.1", "172.32.0.1", "192.169.0.1", "223.255.255.255"]
PUBLIC_6 = ["2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"]
OTHERS = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "127.0.0.1", "127.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("100.64.0.1", "100.127.255.255", "169.254.1.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.19.255.255"),
    *("198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
]
OTHERS_6 = [
    *("::", "::1", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "3fff::1"),
    *("2001::1", "100::1", "::127.0.0.1", "4000::1", "64:ff9b:1::1", "5f00::1", "::ffff:0:127.0.0.1"),
]
METADATA = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"]


@pytest.mark.parametrize("text", PUBLIC + PUBLIC_6)
def test_the_public_internet_may_be_called(text: str) -> None:
    assert is_permitted(ip_address(text))


@pytest.mark.parametrize("text", OTHERS + OTHERS_6 + METADATA)
def test_nothing_else_may(text: str) -> None:
    """Private, loopback, link-local, multicast, reserved, unspecified, and what clouds keep their secrets at."""
    assert not is_permitted(ip_address(text))


@pytest.mark.parametrize("text", [*OTHERS, "169.254.169.254"])
def test_nor_may_it_by_way_of_ipv6(text: str) -> None:
    """Mapped, through NAT64, and through 6to4."""
    number = int(ip_address(text))
    for written in (f"::ffff:{text}", f"64:ff9b::{text}", f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1"):
        assert not is_permitted(ip_address(written)), written


def test_what_the_operator_allows_may() -> None:
    networks = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/32"))
    for text in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5", "1.1.1.1"):
        assert is_permitted(ip_address(text), networks)
    for text in ("10.2.0.1", "fd00:2::5", "127.0.0.1"):
        assert not is_permitted(ip_address(text), networks)
