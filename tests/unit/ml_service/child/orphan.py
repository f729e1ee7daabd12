"""A parent to be killed: starts an Actor on an action, says "<pid>" once that is under way, and waits for its end."""

import asyncio
import json
import sys
from pathlib import Path

from ml_service.child.messages import BatchItem, Said
from ml_service.child.process import ModelProcess
from ml_service.discovery import ModelReference
from shared.settings import BlobSettings


async def main(target: str, action: str) -> None:
    child = await ModelProcess.spawn(
        ModelReference(target), files=Path(), device="auto", threads=0, warm_up=False, blobs=BlobSettings()
    )

    def say(_said: Said) -> None:
        sys.stdout.write(f"{child.pid}\n")
        sys.stdout.flush()

    await child.run([BatchItem(json.dumps({"do": action, "seconds": 60}).encode())], say)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
