"""`python -m shared.database upgrade [REVISION]` or `downgrade REVISION`: the schema, on DATABASE_URL."""

import argparse
import sys

from shared.database.migrate import downgrade, upgrade
from shared.errors import TorchrelayError
from shared.logs import configure_logs
from shared.settings import DatabaseSettings, LogSettings, read_settings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shared.database", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("upgrade", help="bring the schema to the latest version, or to REVISION")
    up.add_argument("revision", nargs="?", default="head")
    down = commands.add_parser("downgrade", help="undo the steps after REVISION (base: all), and lose what they hold")
    down.add_argument("revision")
    arguments = parser.parse_args()
    run = upgrade if arguments.command == "upgrade" else downgrade
    try:
        configure_logs(read_settings(LogSettings))
        settings = read_settings(DatabaseSettings)
        run(settings.database_url, arguments.revision, patience=settings.database_patience)
    except TorchrelayError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
