"""docker-compose.yml as the tests read it."""

from pathlib import Path
from typing import Any

import yaml

FILE = Path("docker-compose.yml")
GPU = Path("deploy/docker/compose.gpu.yml")

COMPOSITION: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSITION["services"]


def run_to_their_end() -> set[str]:
    """The services that others wait for to have completed."""
    return {
        name
        for service in SERVICES.values()
        for name, needed in service.get("depends_on", {}).items()
        if needed["condition"] == "service_completed_successfully"
    }
