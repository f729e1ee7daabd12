"""Torchrelay on this machine: Postgres, a Pub/Sub broker, the API and a worker. Ctrl-C stops it all."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local.errors import CannotStart
from deploy.local.supervisor import NAME
from deploy.local.system import LocalSystem
from shared.errors import InvalidSettings
from shared.settings import Settings, read_settings

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LauncherSettings(Settings):
    """What of the services' settings the launcher heeds itself; the rest passes through it."""

    database_url: str | None = None
    pubsub_emulator_host: str | None = None
    api_port: int | None = None
    model_repository: Path | None = None
    enable_echo: bool = False
    drain_grace: float = LocalSystem.drain_grace


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        asyncio.run(run(_system(given, read_settings(LauncherSettings))))
    except (CannotStart, InvalidSettings, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _system(given: argparse.Namespace, settings: LauncherSettings) -> LocalSystem:
    return LocalSystem(
        given.data,
        port=settings.api_port if given.port is None else given.port,
        workers=given.workers,
        echo=given.echo or settings.enable_echo,
        fresh=given.fresh,
        database_url=settings.database_url,
        broker=given.broker or settings.pubsub_emulator_host,
        models=settings.model_repository,
        drain_grace=settings.drain_grace,
    )


async def run(system: LocalSystem) -> None:
    """Until the first SIGINT, SIGTERM or SIGHUP; the second one hurries. Raises CannotStart."""
    asked = asyncio.Event()

    def on_signal() -> None:
        if asked.is_set():
            system.hurry()
        else:
            system.console.say(NAME, "stopping; once more to hurry")
        asked.set()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    stopping = asyncio.create_task(asked.wait())
    opening = asyncio.create_task(system.open())
    try:
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            await opening
            system.console.say(NAME, f"ready: {system.url}   (its API: {system.url}/docs; Ctrl-C stops)")
            await stopping
    finally:
        opening.cancel()
        await asyncio.wait({opening})
        await system.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="start over: remove the database and the models kept here")
    parser.add_argument("--port", type=int, help="of the API (default: 8000, or a free one near it)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="how many (default: 1)")
    parser.add_argument("--echo", action="store_true", help="serve the model `echo` too, for load and fault tests")
    parser.add_argument(
        "--broker",
        metavar="official|embedded|HOST:PORT",
        help="Google's emulator, Torchrelay's stand-in, or one that runs already (default: PUBSUB_EMULATOR_HOST if set, "
        "else Google's emulator if it and Java are installed, else the stand-in)",
    )
    parser.add_argument(
        "--data", type=Path, default=Path(".torchrelay"), help="folder to keep data in (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
