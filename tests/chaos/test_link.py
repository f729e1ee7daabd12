"""The links themselves: what they do to a line, so that what the system does is not their doing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deploy.local.ports import HOST
from tests.link import Link, Streams, Way, link_to

SOON = 0.2  # seconds in which what is sent would have arrived


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    """To one who says everything twice."""

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(1000):
                writer.write(piece * 2)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(repeat, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    async with link_to(lambda: asyncio.open_connection(HOST, port)) as link:
        yield link
    server.close()


async def dialled(link: Link) -> Streams:
    return await asyncio.open_connection(HOST, link.port)


async def says(line: Streams, word: bytes) -> None:
    line[1].write(word)
    await line[1].drain()


async def heard(line: Streams, count: int) -> bytes:
    return await asyncio.wait_for(line[0].readexactly(count), 10)


async def is_silent(line: Streams) -> bool:
    try:
        await asyncio.wait_for(line[0].read(1), SOON)
    except TimeoutError:
        return True
    return False


async def test_what_is_well_passes(link: Link) -> None:
    line = await dialled(link)
    await says(line, b"a")
    assert await heard(line, 2) == b"aa"
    line[1].close()


@pytest.mark.parametrize("ways", [(), (Way.THERE,), (Way.BACK,)])
async def test_a_silent_line_keeps_what_was_sent_until_it_is_well(link: Link, ways: tuple[Way, ...]) -> None:
    line = await dialled(link)
    link.silence(*ways)
    later = await dialled(link)
    for one in (line, later):
        await says(one, b"a")
        assert await is_silent(one)
    link.heal()
    for one in (line, later):
        assert await heard(one, 2) == b"aa"
        one[1].close()


async def test_stranded_lines_stay_silent_and_new_ones_are_well(link: Link) -> None:
    line = await dialled(link)
    await says(line, b"a")
    assert await heard(line, 2) == b"aa"
    link.strand()
    later = await dialled(link)
    await says(line, b"b")
    await says(later, b"c")
    assert await heard(later, 2) == b"cc"
    assert await is_silent(line)
    for one in (line, later):
        one[1].close()


async def test_a_cut_line_is_reset_and_new_ones_are_well(link: Link) -> None:
    line = await dialled(link)
    await says(line, b"a")
    assert await heard(line, 2) == b"aa"
    link.cut()
    with pytest.raises(ConnectionResetError):
        await heard(line, 1)
    later = await dialled(link)
    await says(later, b"c")
    assert await heard(later, 2) == b"cc"
    for one in (line, later):
        one[1].close()


async def test_a_slow_line_brings_it_later(link: Link) -> None:
    link.slow(SOON * 2)
    line = await dialled(link)
    await says(line, b"a")
    assert await is_silent(line)
    assert await heard(line, 2) == b"aa"
    line[1].close()
