"""Google's Pub/Sub emulator, as a part of one's own.

Its jar is run directly. `gcloud beta emulators pubsub start` runs the same jar, a second later and behind two more
processes, which outlive it when it is killed. The emulator keeps everything in memory: its end is the end of all
queues and messages. Every client notices (NotProvisioned), and provisions again.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import grpc
from google.api_core.exceptions import GoogleAPICallError
from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from deploy.local.errors import CannotStart
from deploy.local.ports import HOST
from deploy.local.tether import tethered

START_TIMEOUT = 60.0  # seconds; it takes one, on a machine that does nothing else
STOP_TIMEOUT = 5.0
_JARS = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
_JVM = (
    "-Xmx1g",  # takes 2 kB a message, and no more than it needs; the default, a quarter of the machine, grows for speed
    "-XX:+ExitOnOutOfMemoryError",  # refusing everything for ever is worse than being started anew, and empty
    "-XX:+UseSerialGC",  # no collector threads that compete with the models
    "-XX:TieredStopAtLevel=1",  # starts in 0.8 s instead of 1.1, and is as fast for what we ask of it
)


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no emulator on this machine, and what to do, in a sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Installation:
    java: Path
    jar: Path


@dataclass(frozen=True, slots=True)
class Emulator:
    """An emulator on this port of 127.0.0.1, running or not."""

    installation: Installation
    port: int

    @property
    def host(self) -> str:
        """As PUBSUB_EMULATOR_HOST has it."""
        return f"{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Runs it in the foreground, in a single process; SIGTERM ends it at once, and so does the end of its parent."""
        java, jar = str(self.installation.java), str(self.installation.jar)
        return tethered([java, *_JVM, "-jar", jar, f"--host={HOST}", f"--port={self.port}"])

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
        deadline = time.monotonic() + START_TIMEOUT
        while not self.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                stop(process)
                raise CannotStart(f"The Pub/Sub emulator did not start on port {self.port}: its log says why.")
            time.sleep(0.02)
        return process

    @contextmanager
    def running(self, log: IO[bytes] | int = subprocess.DEVNULL) -> Iterator[None]:
        """Ready inside, gone after."""
        process = self.start(log)
        try:
            yield
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


def find() -> Installation | Missing:
    """The emulator of the Google Cloud SDK on the PATH, and the Java to run it."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return Missing("the Google Cloud SDK is not installed: there is no gcloud on the PATH")
    # A link on the PATH leads into the SDK on most machines; asking gcloud itself takes a second.
    jar = _jar_in(Path(gcloud).resolve().parent.parent) or _jar_in(_sdk_root(gcloud))
    if jar is None:
        return Missing("the Google Cloud SDK has no emulator: `gcloud components install pubsub-emulator`")
    java = shutil.which("java")
    if java is None:
        return Missing("the Pub/Sub emulator needs Java: there is no java on the PATH")
    return Installation(Path(java), jar)


def _sdk_root(gcloud: str) -> Path:
    asked = [gcloud, "info", "--format=value(installation.sdk_root)"]
    answer = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603 the user's own
    return Path(answer.stdout.strip() or "/nonexistent")


def _jar_in(sdk_root: Path) -> Path | None:
    """The last by name, where an update has left more than one."""
    return max(sdk_root.glob(_JARS), default=None)
