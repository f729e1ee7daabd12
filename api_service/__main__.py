"""`python -m api_service`: serves the API until it is told to stop."""

import sys

from api_service.app import create_app
from api_service.backstage import BackstageSettings
from api_service.server import server
from api_service.settings import ApiSettings
from shared import failpoints
from shared.errors import InvalidSettings
from shared.logs import configure_logs
from shared.settings import DatabaseSettings, FailpointSettings, LogSettings, read_settings


def main() -> int:
    try:
        configure_logs(read_settings(LogSettings))
        failpoints.arm(read_settings(FailpointSettings).failpoint)
        settings = read_settings(ApiSettings)
        app = create_app(settings, read_settings(DatabaseSettings), read_settings(BackstageSettings))
    except InvalidSettings as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    server(app, settings.api_host, settings.api_port, settings.shutdown_grace).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
