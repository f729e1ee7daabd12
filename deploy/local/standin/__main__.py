"""Torchrelay's stand-in for Google Cloud Pub/Sub, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

import uvloop

from deploy.local.standin.server import StandIn
from shared.errors import TorchrelayError

# A thread of gRPC's hands over every call: by default it may wait for 5 ms until the interpreter turns to it.
SWITCH_INTERVAL = 0.0005  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        uvloop.run(_serve(given.host, given.port))
    except TorchrelayError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(host: str, port: int) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with StandIn(host, port) as standin:
        print(f"listening on {standin.host}", flush=True)
        await ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.standin", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8085, help="port to listen on; 0: any free one (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
