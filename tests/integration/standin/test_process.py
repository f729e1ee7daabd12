"""`python -m deploy.local.standin`."""

import asyncio
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from deploy.local.ports import free_port
from deploy.local.standin.process import StandInProcess
from deploy.local.standin.server import StandIn
from shared.broker.channel import open_clients
from shared.errors import BrokerUnavailable


def test_sigterm_ends_it_at_once_and_cleanly(capfd: pytest.CaptureFixture[str]) -> None:
    standin = StandInProcess(port=free_port())
    with standin.running(sys.stderr.fileno()) as process:
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 1
    assert capfd.readouterr().err == f"listening on {standin.host}\n"


async def test_a_taken_port_is_said_so() -> None:
    async with StandIn() as standin:
        port = standin.host.rpartition(":")[2]
        command = [sys.executable, "-m", "deploy.local.standin", "--port", port]
        run = partial(subprocess.run, command, check=False, capture_output=True, text=True, timeout=60)
        done = await asyncio.to_thread(run)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == f"error: {standin.host} cannot be listened on: is the port taken?"
        with pytest.raises(BrokerUnavailable):
            await StandIn(port=int(port)).__aenter__()


async def test_it_comes_and_goes_in_process_with_calls_under_way() -> None:
    for _ in range(2):
        async with StandIn() as standin:
            clients = await open_clients(standin.host)
            await clients.publisher.create_topic(name="projects/p/topics/abc", retry=None, timeout=10)
            await clients.close()
