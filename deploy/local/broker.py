"""The broker of a system on one machine: which one, and how it is run."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, ClassVar

import grpc
from google.api_core.exceptions import GoogleAPICallError
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from deploy.local.errors import CannotStart
from deploy.local.ports import HOST

START_TIMEOUT = 60.0  # seconds; it takes one, on a machine that does nothing else
STOP_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalBroker(ABC):
    """A broker on this port of 127.0.0.1, running or not. It keeps everything in memory: its end is the end of all
    queues and messages. Every client notices (NotProvisioned), and provisions again.
    """

    what: ClassVar[str]  # it is, in a few words

    port: int

    @property
    def host(self) -> str:
        """As PUBSUB_EMULATOR_HOST has it."""
        return f"{HOST}:{self.port}"

    @abstractmethod
    def command(self) -> list[str]:
        """Runs it in the foreground, in a single process; SIGTERM ends it at once, and so does the end of its parent."""

    def ready(self) -> bool:
        """Whether it answers a real call, within a second: its port is open before its service is."""
        with grpc.insecure_channel(self.host, options=[("grpc.enable_http_proxy", 0)]) as channel:
            client = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
            try:
                client.list_topics(project="projects/ready", retry=None, timeout=1.0)
            except GoogleAPICallError:
                return False
        return True

    def start(self, log: IO[bytes] | int) -> "subprocess.Popen[bytes]":
        """Returns the process when it is ready. What it says goes to `log`. Raises CannotStart.

        To be called in a thread that lasts: on Linux the process ends with the thread that started it.
        """
        process = subprocess.Popen(  # noqa: S603 the command is ours
            self.command(),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C is for us, who stop it last
        )
        try:
            self._wait_until_ready(process)
        except BaseException:
            stop(process)
            raise
        return process

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"{self.what} did not start on port {self.port}: its log says why.")
            time.sleep(0.02)

    @contextmanager
    def running(self, log: IO[bytes] | int = subprocess.DEVNULL) -> Iterator["subprocess.Popen[bytes]"]:
        """Ready inside, gone after."""
        process = self.start(log)
        try:
            yield process
        finally:
            stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends it for certain, and leaves nothing of it. There is nothing that it would have to save."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
