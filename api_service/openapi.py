"""Writes the OpenAPI document, from which clients are generated: `python -m api_service.openapi [FILE]`."""

import json
import sys
from pathlib import Path

from api_service.app import create_app
from api_service.settings import ApiSettings
from shared.settings import DatabaseSettings


def document() -> str:
    app = create_app(ApiSettings(), DatabaseSettings())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "openapi.json").write_text(document(), encoding="utf-8")
