"""One call of a webhook: to the address that was judged and no other, within limits, and what is made of the answer."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from typing import Any

import pytest
from starlette.responses import Response, StreamingResponse

from api_service.webhooks.rules import UrlRules
from tests.integration.webhooks.certificates import Authority
from tests.integration.webhooks.conftest import STRICT, MakeSender, Names, certificate_of
from tests.integration.webhooks.receiver import Received, Receiver, receiving

NOT_PUBLIC = "its host has no address on the public internet"
HEADERS = {"webhook-id": "1", "Content-Type": "application/json"}
BODY = b'{"a": 1}'


async def hang(_: Received) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_message_arrives_as_it_is(receiver: Receiver, make_sender: MakeSender) -> None:
    """The host is named, though an address is called."""
    url = f"http://hook.example.com:{receiver.port}/a%20b?c=d#e"
    answer = await make_sender().post(url, HEADERS, BODY)
    received = await receiver.next()
    assert (answer.status, answer.error) == (204, None)
    assert 0 < answer.seconds < 5
    assert (received.path, received.body) == ("/a b", BODY)
    assert received.headers["host"] == f"hook.example.com:{receiver.port}"
    assert received.headers["webhook-id"] == "1"


# -- TLS


async def test_a_certificate_for_the_host_is_good(
    tls_receiver: Receiver, make_sender: MakeSender, authority: Authority
) -> None:
    """It is the name's that counts, not the address's; and the server is told the name (SNI), or it could not know."""
    url = f"https://hook.example.com:{tls_receiver.port}/"
    answer = await make_sender(tls=authority.trusted).post(url, HEADERS, BODY)
    assert (answer.status, answer.error) == (204, None)
    assert (await tls_receiver.next()).body == BODY


async def test_a_certificate_for_another_host_is_not(
    tls_receiver: Receiver, make_sender: MakeSender, authority: Authority
) -> None:
    url = f"https://other.example.com:{tls_receiver.port}/"
    answer = await make_sender(tls=authority.trusted).post(url, HEADERS, BODY)
    assert answer.status is None
    assert "its certificate is not good: Hostname mismatch" in str(answer.error)
    assert tls_receiver.nothing_came()


async def test_who_shares_an_address_is_told_apart(make_sender: MakeSender, authority: Authority) -> None:
    """A connection made for one host never serves another one at the same address and port."""
    async with receiving(certificate_of(authority)) as shared:
        sender = make_sender(tls=authority.trusted)
        good = await sender.post(f"https://hook.example.com:{shared.port}/", HEADERS, BODY)
        bad = await sender.post(f"https://victim.example.com:{shared.port}/", HEADERS, BODY)
    assert (good.status, bad.status) == (204, None)


async def test_a_certificate_that_nobody_knows_is_not(tls_receiver: Receiver, make_sender: MakeSender) -> None:
    answer = await make_sender().post(f"https://hook.example.com:{tls_receiver.port}/", HEADERS, BODY)
    assert "its certificate is not good" in str(answer.error)
    assert tls_receiver.nothing_came()


async def test_what_speaks_no_tls_is_not_spoken_to(receiver: Receiver, make_sender: MakeSender) -> None:
    answer = await make_sender().post(f"https://hook.example.com:{receiver.port}/", HEADERS, BODY)
    assert answer.error == "it speaks no TLS that we do"
    assert receiver.nothing_came()


# -- where it may not go


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "192.168.0.1", "224.0.0.1"),
        *("::1", "fe80::1", "fd00:ec2::254", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "::"),
    ],
)
async def test_a_name_that_leads_inside_is_not_followed(
    address: str, receiver: Receiver, make_sender: MakeSender
) -> None:
    names = Names(hook=[[address]])
    answer = await make_sender(STRICT, names).post(f"http://hook.example.com:{receiver.port}/", HEADERS, BODY)
    assert (answer.status, answer.error) == (None, NOT_PUBLIC)
    assert receiver.nothing_came()


async def test_a_name_that_is_not_there_looks_the_same(make_sender: MakeSender) -> None:
    """Else webhooks would tell which names there are inside."""
    answer = await make_sender(STRICT, Names()).post("http://hook.example.com/", HEADERS, BODY)
    assert (answer.status, answer.error) == (None, NOT_PUBLIC)


async def test_what_changes_after_it_was_judged_changes_nothing(receiver: Receiver, make_sender: MakeSender) -> None:
    """DNS rebinding: public when asked first, this machine when asked again. So it is asked once."""
    names = Names(rebind=[["192.0.2.1"], ["127.0.0.1"]])
    # A network where nobody answers stands for the public internet.
    public = UrlRules(allow_http=True, networks=(ip_network("192.0.2.0/24"),))
    sender = make_sender(public, names, timeout=0.5, connect_timeout=0.2)
    answer = await sender.post(f"http://rebind.example.com:{receiver.port}/", HEADERS, BODY)
    assert answer.status is None
    assert names.asked == ["rebind.example.com"]
    assert receiver.nothing_came()
    again = await sender.post(f"http://rebind.example.com:{receiver.port}/", HEADERS, BODY)
    assert again.error == NOT_PUBLIC
    assert receiver.nothing_came()


async def test_of_several_addresses_only_the_public_ones_are_called(
    receiver: Receiver, make_sender: MakeSender
) -> None:
    """Here 127.0.0.1 stands for the public ones, and there is a listener at both."""
    names = Names(both=[["10.0.0.1", "127.0.0.1"]])
    answer = await make_sender(names=names).post(f"http://both.example.com:{receiver.port}/", HEADERS, BODY)
    assert answer.status == 204


async def test_the_next_address_is_tried_where_one_takes_no_connections(
    receiver: Receiver, make_sender: MakeSender
) -> None:
    names = Names(two=[["127.0.0.2", "127.0.0.1"]])
    answer = await make_sender(names=names).post(f"http://two.example.com:{receiver.port}/", HEADERS, BODY)
    assert answer.status == 204


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int, receiver: Receiver, make_sender: MakeSender) -> None:
    """Neither to where we may not go, nor to where we may."""
    receiver.answers(status, headers={"Location": f"http://127.0.0.1:{receiver.port}/inside"})
    answer = await make_sender().post(f"http://hook.example.com:{receiver.port}/", HEADERS, BODY)
    assert answer.status == status
    assert (await receiver.next()).path == "/"
    assert receiver.nothing_came()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/",
        "http://2130706433:8000/",
        "http://user:pw@hook.example.com/",
        "ftp://hook.example.com/",
    ],
)
async def test_a_url_is_judged_again_when_it_is_called(url: str, make_sender: MakeSender) -> None:
    """It may have been submitted under other rules."""
    names = Names(hook=[["1.1.1.1"]])
    answer = await make_sender(STRICT, names).post(url, HEADERS, BODY)
    assert str(answer.error).startswith("its URL ")
    assert names.asked == []


async def test_nothing_is_taken_from_the_environment(
    receiver: Receiver, make_sender: MakeSender, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """No proxy that could go where we may not, no password from .netrc."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine hook.example.com login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:1")
        monkeypatch.setitem(os.environ, name.lower(), "http://127.0.0.1:1")
    answer = await make_sender().post(f"http://hook.example.com:{receiver.port}/", HEADERS, BODY)
    assert answer.status == 204
    assert "authorization" not in (await receiver.next()).headers


async def test_nothing_is_remembered_for_the_next_call(receiver: Receiver, make_sender: MakeSender) -> None:
    receiver.answers(204, headers={"Set-Cookie": "a=b"})
    sender = make_sender()
    for _ in range(2):
        await sender.post(f"http://hook.example.com:{receiver.port}/", HEADERS, BODY)
        assert "cookie" not in (await receiver.next()).headers


# -- limits


async def test_who_does_not_answer_is_not_waited_for(receiver: Receiver, make_sender: MakeSender) -> None:
    receiver.reply = hang
    answer = await make_sender(timeout=0.3).post(f"http://hook.example.com:{receiver.port}/", HEADERS, BODY)
    assert (answer.status, answer.error) == (None, "no answer within 0.3 s")


async def test_who_answers_without_end_is_not_read_to_the_end(receiver: Receiver, make_sender: MakeSender) -> None:
    """A status is an answer, whatever follows it."""
    sent, plenty = 0, 64 * 1024 * 1024

    async def endless() -> Any:
        nonlocal sent
        while sent < plenty:
            await asyncio.sleep(0)  # the server does not say that nobody listens any more
            sent += 65536
            yield b"x" * 65536

    async def reply(_: Received) -> Response:
        return StreamingResponse(endless(), 200)

    receiver.reply = reply
    answer = await make_sender().post(f"http://hook.example.com:{receiver.port}/", HEADERS, BODY)
    assert answer.status == 200
    assert sent < plenty


async def test_who_drips_is_not_waited_for(receiver: Receiver, make_sender: MakeSender) -> None:
    async def one_byte() -> Any:
        yield b"x"
        await asyncio.Event().wait()

    async def reply(_: Received) -> Response:
        return StreamingResponse(one_byte(), 200)

    receiver.reply = reply
    answer = await make_sender().post(f"http://hook.example.com:{receiver.port}/", HEADERS, BODY)
    assert answer.status == 200
    assert answer.seconds < 3


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"b" * 200_000]
)
async def test_what_is_not_http_is_no_answer(said: bytes, make_sender: MakeSender) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.write_eof()
        await reader.read(1000)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        answer = await make_sender().post(f"http://hook.example.com:{port}/", HEADERS, BODY)
    assert (answer.status, answer.error) == (None, "it hung up, or did not speak HTTP")


async def test_who_takes_no_connections_is_told_so(make_sender: MakeSender) -> None:
    answer = await make_sender().post("http://hook.example.com:1024/", HEADERS, BODY)
    assert answer.error == "it takes no connections"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        ("soon", None),
        ("-5", None),
        pytest.param("9" * 400, 999999999, id="very late"),
        ("", None),
    ],
)
async def test_a_receiver_may_say_when_to_come_again(
    said: str, seconds: float | None, receiver: Receiver, make_sender: MakeSender
) -> None:
    receiver.answers(503, headers={"Retry-After": said})
    answer = await make_sender().post(f"http://hook.example.com:{receiver.port}/", HEADERS, BODY)
    assert answer.status == 503
    assert answer.retry_after == (None if seconds is None else seconds)


async def test_a_receiver_may_name_the_time_to_come_again(receiver: Receiver, make_sender: MakeSender) -> None:
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    receiver.answers(503, headers={"Retry-After": in_an_hour})
    answer = await make_sender().post(f"http://hook.example.com:{receiver.port}/", HEADERS, BODY)
    assert answer.retry_after == pytest.approx(3600, abs=30)
