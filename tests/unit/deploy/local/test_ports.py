"""Finding a port."""

import socket
from collections.abc import Iterator

import pytest

from deploy.local.errors import CannotStart
from deploy.local.ports import exactly, free_port, is_free, near


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_free_port_can_be_listened_on() -> None:
    socket.create_server(("127.0.0.1", free_port())).close()


def test_near_is_the_port_itself_where_that_is_free() -> None:
    port = free_port()
    assert near(port) == port


def test_near_a_taken_port_is_a_free_one(taken: int) -> None:
    other = near(taken)
    assert other != taken
    assert is_free(other)


def test_a_taken_port_that_was_asked_for_is_refused(taken: int) -> None:
    with pytest.raises(CannotStart, match=f"Port {taken} is taken: .* --port"):
        exactly(taken)


def test_zero_takes_any() -> None:
    assert is_free(exactly(0))


def test_a_port_whose_connections_were_just_closed_is_free() -> None:
    """Or a restart would get another port every time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()
        client.close()
    assert is_free(port)
