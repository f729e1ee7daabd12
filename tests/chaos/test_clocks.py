"""Rule 9: only the database's clock decides. Those of the others may be off by an hour."""

import asyncio
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.conftest import Stage
from tests.chaos.ledger import order
from tests.required import lacking

SKEW = {"api": 3600, "worker-1": -3600, "worker-2": 3600}  # seconds


@pytest.fixture(scope="module")
def skewing(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is to be preloaded."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        lacking("COMPILER", "there is no C compiler on this Linux, or this is no Linux")
    library = tmp_path_factory.mktemp("skew") / "skew.so"
    source = Path(__file__).with_name("skew.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O", "-o", str(library), str(source), "-ldl"], check=True)
    return str(library)


async def test_clocks_that_are_off_by_an_hour_make_no_difference(stage: Stage, skewing: str) -> None:
    def off(part: str) -> dict[str, str]:
        return {"LD_PRELOAD": skewing, "CLOCK_SKEW": str(SKEW[part])}

    async with stage(workers=2, env_of=off) as scene:
        (running,) = await scene.submit(1, seconds=2)
        await scene.customer.reaches(running, "running")
        scene.rig.kill("worker-1" if await scene.rig.holder(str(running.job_id)) == "worker-1" else "worker-2")
        for _ in range(20):
            await scene.customer.submit(order(seconds=0.1, queue_ttl=600, execution_timeout=600))
        await scene.ends_well()
        job = await scene.customer.get(running)
        assert job["attempt"] >= 2
        told = datetime.fromisoformat(job["finished_at"])
        assert abs(told - datetime.now(UTC)) < timedelta(minutes=10)
        # That they really are off: the job's id holds the API's time.
        made = datetime.fromtimestamp((running.job_id.int >> 80) / 1000, UTC) if running.job_id else told
        assert made - told > timedelta(minutes=50)


async def test_the_clock_is_off_where_it_is_preloaded(skewing: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import time; print(time.time())",
        env={"LD_PRELOAD": skewing, "CLOCK_SKEW": "3600"},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert abs(float(said) - datetime.now(UTC).timestamp() - 3600) < 600
