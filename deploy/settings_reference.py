"""Writes down every setting: the table in README.md and .env.example. `--check` says whether they are up to date."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from api_service.retention.settings import RetentionSettings
from api_service.settings import ApiSettings
from api_service.webhooks.settings import WebhookSettings
from ml_service.settings import WorkerSettings
from shared.settings import (
    BlobSettings,
    BrokerSettings,
    DatabaseSettings,
    FailpointSettings,
    LeaseSettings,
    LogSettings,
    Settings,
)

GROUPS: dict[str, type[Settings]] = {
    "Database": DatabaseSettings,
    "Broker": BrokerSettings,
    "Blobs": BlobSettings,
    "Retention": RetentionSettings,
    "Leases": LeaseSettings,
    "Webhooks": WebhookSettings,
    "API": ApiSettings,
    "Logs": LogSettings,
    "Failpoint": FailpointSettings,
    "Worker": WorkerSettings,
}
README = Path("README.md")
EXAMPLE = Path(".env.example")
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.settings_reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is out of date")
    check = parser.parse_args(arguments).check
    stale = [path for path, text in rendered().items() if path.read_text() != text]
    for path in stale:
        if check:
            sys.stderr.write(f"{path} is out of date: make settings\n")
        else:
            path.write_text(rendered()[path])
    return 1 if check and stale else 0


def rendered() -> dict[Path, str]:
    """What the files should say."""
    before, rest = README.read_text().split(BEGIN)
    _, after = rest.split(END)
    return {README: f"{before}{BEGIN}\n{_table()}{END}{after}", EXAMPLE: _example()}


def _table() -> str:
    rows = [
        f"| `{name.upper()}` | {_shown(field)} | {group}: {field.description} |"
        for group, fields in _groups()
        for name, field in fields
    ]
    return "\n".join(["| Variable | Default | What it is for |", "|---|---|---|", *rows, ""])


def _example() -> str:
    lines = [
        "# Every setting, with its default. They are environment variables; a file `.env` in the working folder is read, too.",
        "# `make run` fills in what is left out: a database and a broker of its own.",
    ]
    for group, fields in _groups():
        lines += ["", f"# {group}"]
        for name, field in fields:
            lines += [f"# {field.description}", f"# {name.upper()}={_text(field.default)}"]
    return "\n".join([*lines, ""])


def _groups() -> Iterable[tuple[str, list[tuple[str, FieldInfo]]]]:
    """Each setting once, in the group that is named first."""
    seen: set[str] = set()
    for group, settings in GROUPS.items():
        fields = [(name, field) for name, field in settings.model_fields.items() if name not in seen]
        seen |= settings.model_fields.keys()
        yield group, fields


def _shown(field: FieldInfo) -> str:
    text = _text(field.default)
    return f"`{text}`" if text else "unset"


def _text(default: Any) -> str:
    match default:
        case None | "" | ():
            return ""
        case bool():
            return str(default).lower()
        case tuple():
            return ",".join(default)
        case float():
            return f"{default:.10g}"
        case _:
            return str(default)


if __name__ == "__main__":
    sys.exit(main())
