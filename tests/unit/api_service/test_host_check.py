"""Which hosts and origins are served."""

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from api_service.host_check import HostCheck


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def client() -> TestClient:
    return TestClient(HostCheck(hello, ["own.example", "*.wide.example"]))


@pytest.mark.parametrize("host", ["own.example", "OWN.example:80", "a.b.wide.example", "localhost"])
def test_hosts_on_the_list_are_served(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host, "Origin": f"https://{host}"}).status_code == 200


@pytest.mark.parametrize("host", ["wide.example", "xown.example", "own.example.org", "user@evil.example", "\xff", "."])
def test_others_are_not(client: TestClient, host: str) -> None:
    sent = host.encode("latin-1")

    assert client.get("/", headers={b"Host": sent}).status_code == 403
    assert client.get("/", headers={b"Host": b"localhost", b"Origin": b"http://" + sent}).status_code == 403


def test_a_good_host_is_not_what_makes_the_next_one_good(client: TestClient) -> None:
    answers = [
        client.get("/", headers={"Host": host}).status_code for host in ("localhost", "evil.example", "localhost")
    ]

    assert answers == [200, 403, 200]
