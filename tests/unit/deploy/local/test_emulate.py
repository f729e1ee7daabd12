"""`make emulator`."""

import signal
import subprocess
import sys

import grpc
import psutil
import pytest

from deploy.local.ports import free_port, is_free
from tests.unit.deploy.local.signs import gone, wait_until


def start(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "deploy.local.emulate", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_it_says_how_to_use_it_and_one_signal_ends_it(ending: signal.Signals) -> None:
    port = free_port()
    with start("--broker", "embedded", "--port", str(port)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"export PUBSUB_EMULATOR_HOST=127.0.0.1:{port}\n"
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(10)
        process.send_signal(ending)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read().startswith("broker: Torchrelay's stand-in for Pub/Sub\n")
    assert is_free(port)


def test_a_taken_port_is_said_so() -> None:
    port = free_port()
    with start("--broker", "embedded", "--port", str(port)) as first:
        assert first.stdout is not None
        first.stdout.readline()
        with start("--broker", "embedded", "--port", str(port)) as second:
            _, said = second.communicate(timeout=20)
            assert second.returncode == 1
            assert said.splitlines()[-1].startswith(f"error: Port {port} is taken")
        first.terminate()


def test_a_broker_that_ends_by_itself_is_the_end() -> None:
    with start("--broker", "embedded", "--port", "0") as process:
        assert process.stdout is not None
        process.stdout.readline()
        (broker,) = psutil.Process(process.pid).children()
        broker.kill()
        assert process.wait(10) == 1
        assert process.stderr is not None
        assert process.stderr.read().splitlines()[-1] == "error: the broker was ended by SIGKILL"
        wait_until(lambda: gone(broker.pid))
