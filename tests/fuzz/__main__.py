"""`make fuzz`: a long run of schemathesis over a system of its own; what follows is passed on to schemathesis."""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.local.system import LocalSystem
from tests.fuzz.run import SYSTEM, fuzz

THOROUGH = ("--max-examples", "500")  # more than 5,000 requests


async def main(options: list[str]) -> int:
    with TemporaryDirectory() as folder:
        async with LocalSystem(Path(folder) / "system", port=0, echo=True, durable=False, env=SYSTEM) as system:
            done = await asyncio.to_thread(fuzz, system.url, Path(folder), options or THOROUGH)
    print(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
