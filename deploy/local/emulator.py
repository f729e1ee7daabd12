"""Google's Pub/Sub emulator, as a part of one's own.

Its jar is run directly. `gcloud beta emulators pubsub start` runs the same jar, a second later and behind two more
processes, which outlive it when it is killed.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deploy.local.broker import LocalBroker
from deploy.local.ports import HOST
from deploy.local.tether import tethered

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator(LocalBroker):
    what: ClassVar[str] = "Google's Pub/Sub emulator"

    installation: Installation

    def command(self) -> list[str]:
        java, jar = str(self.installation.java), str(self.installation.jar)
        return tethered([java, *_JVM, "-jar", jar, f"--host={HOST}", f"--port={self.port}"])


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
