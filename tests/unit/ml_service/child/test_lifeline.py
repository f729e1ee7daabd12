"""A child never outlives its parent."""

import asyncio
import os
import select
import sys

import pytest

from ml_service.child.process import SOURCES
from tests.unit.ml_service.child.conftest import ACTOR


@pytest.mark.parametrize("action", ["hang_for_ever", "hold_the_gil"])
async def test_a_child_is_gone_soon_after_its_parent_was_killed(action: str) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.unit.ml_service.child.orphan",
        ACTOR.target,
        action,
        stdout=asyncio.subprocess.PIPE,
        cwd=SOURCES,
    )
    assert parent.stdout is not None
    child = os.pidfd_open(int(await parent.stdout.readline()))
    try:
        parent.kill()
        readable, _, _ = await asyncio.to_thread(select.select, [child], [], [], 5.0)
        assert readable, "the child lives on"
    finally:
        os.close(child)
        await parent.communicate()
