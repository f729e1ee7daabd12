"""What a machine may lack: a reason to skip on a laptop, an error in CI (.ci/run sets the variable)."""

import os
from typing import NoReturn

import pytest


def lacking(what: str, reason: str) -> NoReturn:
    """what: BROWSER, COMPILER or EMULATOR."""
    if os.environ.get(f"TORCHRELAY_REQUIRE_{what}"):
        pytest.fail(f"required here, and missing: {reason}")
    pytest.skip(reason)
