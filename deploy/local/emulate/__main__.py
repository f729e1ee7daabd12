"""Just the broker, for whoever wants one: `make emulator`. Ctrl-C stops it."""

import argparse
import signal
import sys
from collections.abc import Sequence

from deploy.local.broker import LocalBroker
from deploy.local.brokers import EMBEDDED, OFFICIAL, choose
from deploy.local.errors import CannotStart
from deploy.local.ports import exactly
from deploy.local.supervisor import how_it_ended

DEFAULT_PORT = 8085  # Google's emulator's


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        broker, explained = choose(given.broker, lambda: exactly(given.port))
        assert isinstance(broker, LocalBroker)
        print(explained, file=sys.stderr)
        return _run(broker)
    except CannotStart as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(broker: LocalBroker) -> int:
    """Until a signal, or until it ends by itself."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with broker.running(sys.stderr.fileno()) as process:
            print(f"export PUBSUB_EMULATOR_HOST={broker.host}", flush=True)
            status = process.wait()
    except KeyboardInterrupt:
        return 0
    print(f"error: the broker {how_it_ended(status)}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make emulator", description=__doc__)
    parser.add_argument(
        "--broker",
        choices=(OFFICIAL, EMBEDDED),
        help="Google's emulator, or Torchrelay's stand-in (default: Google's where it and Java are installed)",
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0: any free one (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
