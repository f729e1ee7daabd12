"""Ports of this machine."""

import socket

from deploy.local.errors import CannotStart

HOST = "127.0.0.1"
CONNECT_TIMEOUT = 5.0  # seconds
NEIGHBOURS = 20  # how many ports above a taken one are tried: one that is easy to remember beats any other


def free_port() -> int:
    """One that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a port just given back is free
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def near(port: int) -> int:
    """This one if it is free, else the first free one above it."""
    return next((candidate for candidate in range(port, port + NEIGHBOURS) if is_free(candidate)), None) or free_port()


def answers(address: str) -> bool:
    """Whether somebody listens at this host:port, of this machine or another."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT).close()
    except (OSError, ValueError):
        return False
    return True


def exactly(port: int) -> int:
    """This one, or any for 0. Raises CannotStart if it is taken."""
    if port == 0:
        return free_port()
    if not is_free(port):
        raise CannotStart(f"Port {port} is taken: end what listens there, or choose another with --port.")
    return port
