"""Writes the OpenAPI document, from which clients are generated. `--check` says whether it is up to date."""

import argparse
import json
import sys
from pathlib import Path

from api_service.app import create_app
from api_service.settings import ApiSettings
from shared.settings import DatabaseSettings

FILE = Path("openapi.json")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m api_service.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is out of date")
    text = document()
    if not parser.parse_args(arguments).check:
        FILE.write_text(text, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{FILE} is out of date: make openapi\n")
        return 1
    return 0


def document() -> str:
    """The defaults' document: what the environment says must not show in it."""
    app = create_app(ApiSettings.model_construct(), DatabaseSettings.model_construct())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
