"""Event loops, and credentials."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shared.broker.pubsub import Pubsub
from shared.errors import BrokerUnavailable

EXCHANGE = """
import asyncio, sys
import uvloop
from shared.broker.pubsub import Pubsub

async def exchange(prefix):
    broker = await Pubsub.connect("contract", sys.argv[1], prefix)
    await broker.provision("echo")
    await broker.publish("echo", [(b"x", {})])
    (message,) = await broker.pull("echo", 1)
    await broker.acknowledge("echo", [message.ack_id])
    await broker.close()

for factory in (uvloop.new_event_loop, asyncio.new_event_loop, uvloop.new_event_loop):
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(exchange(f"{sys.argv[2]}-{id(runner)}-"))
"""


def test_each_event_loop_of_either_kind_takes_a_client_of_its_own(broker_host: str) -> None:
    command = [sys.executable, "-W", "error", "-c", EXCHANGE, broker_host, "loops"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


async def test_missing_credentials_are_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(BrokerUnavailable, match="PUBSUB_EMULATOR_HOST"):
        await Pubsub.connect("contract")


async def test_without_an_emulator_it_is_google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As far as can be seen without an account: it connects with the credentials it finds, and asks nobody yet."""
    key = {"type": "authorized_user", "client_id": "x", "client_secret": "x", "refresh_token": "x"}
    (tmp_path / "key.json").write_text(json.dumps({**key, "quota_project_id": "contract"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")  # for the settings to read, not for the library
    broker = await Pubsub.connect("contract")
    assert broker._clients.publisher.transport.host == "pubsub.googleapis.com:443"
    await broker.close()
