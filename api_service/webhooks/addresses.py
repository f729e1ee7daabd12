"""Which addresses anybody may have us connect to: those of the public internet, and no others.

After the registries of special-purpose addresses of the IANA (RFC 6890). Written out, because what Python's `ipaddress`
calls global differs between its versions. Of IPv6 only what is given out for the public internet, 2000::/3.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's NAT; the metadata of Alibaba's cloud
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # the platform's services in Azure, on an address that looks public
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols; the metadata of Oracle's cloud
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocols, Teredo among them
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_PUBLIC_IPV6 = IPv6Network("2000::/3")
# Where an IPv4 address stands in an IPv6 address that leads to it, in bits from the right.
_EMBEDDING: tuple[tuple[IPv6Network, int], ...] = (
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)


def is_permitted(address: Address, networks: tuple[Network, ...] = ()) -> bool:
    """Public, or in one of these networks; for an IPv6 address that stands for one of IPv4, that is judged."""
    embedded = _embedded(address)
    if embedded is not None:
        return is_permitted(embedded, networks)
    return any(address in network for network in networks) or _is_public(address)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def _embedded(address: Address) -> IPv4Address | None:
    return next(_embeddings(address), None) if isinstance(address, IPv6Address) else None


def _embeddings(address: IPv6Address) -> Iterator[IPv4Address]:
    for network, shift in _EMBEDDING:
        if address in network:
            yield IPv4Address(int(address) >> shift & 0xFFFFFFFF)
