"""`python -m api_service`."""

import asyncio
import os
import sys

import pytest


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ALLOW_UNAUTHENTICATED", "x", "ALLOW_UNAUTHENTICATED: Input should be a valid boolean"),
        ("OIDC_ISSUER", "https://issuer.example", "OIDC_ISSUER needs OIDC_AUDIENCE"),
        ("API_PORT", "x", "API_PORT: Input should be a valid integer"),
    ],
)
async def test_it_refuses_to_start_and_says_what_to_set(variable: str, value: str, told: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api_service",
        env={**os.environ, variable: value},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()

    assert process.returncode == 1
    assert told in errors.decode()
    assert "Traceback" not in errors.decode()
