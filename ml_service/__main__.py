"""`python -m ml_service run`: a worker. `python -m ml_service register`: models into the catalogue, queues into the broker."""

import argparse
import asyncio
import signal
import sys

import structlog
import uvloop

from ml_service.register import register
from ml_service.settings import WorkerSettings
from ml_service.worker.watchdog import Watchdog
from ml_service.worker.worker import Worker
from shared import failpoints
from shared.blobs import Blobs
from shared.broker.pubsub import Pubsub
from shared.database.pool import Database
from shared.errors import TorchrelayError
from shared.logs import configure_logs
from shared.settings import FailpointSettings, read_settings

log = structlog.get_logger(__name__)

# A loop that stood still for one lease has lost it, and may yet go on; after two it is of no use to anybody.
STUCK_AFTER_LEASES = 2


async def _run(command: str, settings: WorkerSettings) -> int:
    db = await Database.connect(
        settings.database_url,
        size=settings.database_pool,
        patience=settings.database_patience,
        application="torchrelay-worker",
    )
    broker = await Pubsub.connect(
        settings.pubsub_project,
        settings.pubsub_emulator_host,
        settings.queue_prefix,
        pull_seconds=settings.pubsub_pull_seconds,
    )
    try:
        if command == "register":
            return 0 if await register(settings, db, broker) else 1
        worker = Worker(settings, db, broker, Blobs(settings.blob_url))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        watchdog = Watchdog(STUCK_AFTER_LEASES * settings.lease_seconds)
        watchdog.start()
        try:
            return await worker.run()
        finally:
            watchdog.stop()
    finally:
        await broker.close()
        await db.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ml_service", description=__doc__)
    parser.add_argument("command", choices=["run", "register"])
    arguments = parser.parse_args()
    try:
        settings = read_settings(WorkerSettings)
        configure_logs(settings)
        failpoints.arm(read_settings(FailpointSettings).failpoint)
        return uvloop.run(_run(arguments.command, settings))
    except TorchrelayError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
