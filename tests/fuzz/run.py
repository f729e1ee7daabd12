"""One run of schemathesis over an API that is there."""

import json
import os
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from tests.fuzz.document import exact

CONFIG = Path(__file__).parent / "schemathesis.toml"
SYSTEM = {"MODELS": "echo"}  # settings of the system that is tested


def fuzz(
    url: str, folder: Path, options: Sequence[str] = (), *, key: str | None = None
) -> subprocess.CompletedProcess[str]:
    """folder: for what a run leaves. key: an API key of scope admin; None: the API asks nobody who they are.

    The exit status is 0 if all checks held; the output says which did not, and how to repeat it.
    """
    headers: Mapping[str, str] = {} if key is None else {"Authorization": f"Bearer {key}"}
    served = httpx.get(f"{url}/openapi.json", headers=headers, timeout=30).raise_for_status().json()
    document = folder / "openapi.json"
    document.write_text(json.dumps(exact(served, asked_who=key is not None)))
    command = [
        *(str(Path(sysconfig.get_path("scripts")) / "schemathesis"), "--config-file", str(CONFIG)),
        *("run", str(document), "--url", url, "--checks", "all"),
        *(part for name, value in headers.items() for part in ("--header", f"{name}:{value}")),
        *options,
    ]
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"}
    return subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
