"""Names of hosts to addresses."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from api_service.webhooks.addresses import Address

# Raises OSError where there is no such name.
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class Resolver:
    """As the system resolves them, in threads of its own: a name server that hangs must hold up nothing else."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolve")

    async def __call__(self, host: str, port: int) -> list[Address]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        return [ip_address(address) for address in dict.fromkeys(found)]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    """In the order in which they are to be tried (RFC 6724)."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except UnicodeError as error:  # a label that is too long
        raise OSError(str(error)) from error
    return [str(address[0]) for *_, address in found]
