"""`python -m api_service`: serves the API until it is told to stop."""

import sys

from pydantic import ValidationError

from api_service.app import create_app
from api_service.backstage import BackstageSettings
from api_service.server import server
from api_service.settings import ApiSettings
from shared.logs import configure_logs
from shared.settings import DatabaseSettings, LogSettings


def main() -> None:
    try:
        settings, database, behind = ApiSettings(), DatabaseSettings(), BackstageSettings()
        configure_logs(LogSettings())
    except ValidationError as error:
        sys.exit("\n".join(_described(error)))
    server(create_app(settings, database, behind), settings.api_host, settings.api_port, settings.shutdown_grace).run()


def _described(error: ValidationError) -> list[str]:
    """Which variable, and what is wrong with it."""
    return [
        ": ".join([*(str(part).upper() for part in one["loc"]), one["msg"].removeprefix("Value error, ")])
        for one in error.errors()
    ]


if __name__ == "__main__":
    main()
