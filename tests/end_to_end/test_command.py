"""The command and the client, as the README has them, against the real system with its real models."""

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from deploy.client import AsyncClient
from deploy.client.uploads import INLINE
from deploy.local.system import LocalSystem
from tests.end_to_end.client import Client

README = Path(__file__).parents[2] / "README.md"


async def run(system: LocalSystem, folder: Path, *command: str) -> tuple[int, str, str]:
    environment = {**os.environ, "TORCHRELAY_URL": system.url, "PYTHONPATH": str(README.parent)}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def from_readme(language: str) -> str:
    _, _, section = README.read_text().partition("## With the command, or from Python")
    block = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return block[1]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A handwritten 7, dark on light."""
    digits = load_digits()
    seven = digits.images[list(digits.target).index(7)]
    pixels = (255 - seven * 255 / 16).astype(np.uint8)
    path = tmp_path / "seven.png"
    Image.fromarray(pixels).resize((160, 160)).save(path)
    return path


async def test_a_picture_is_recognised(system: tuple[LocalSystem, Client], picture: Path) -> None:
    command = (sys.executable, "-m", "deploy.command", "submit", "digits", "--file", f"image=@{picture.name}", "--wait")

    status, out, err = await run(system[0], picture.parent, *command)

    assert status == 0, err
    assert json.loads(out)["digit"] == 7


async def test_a_large_picture_is_sent_ahead(system: tuple[LocalSystem, Client], picture: Path) -> None:
    """By the command, which uploads what is too large to stand in an input, and by the client."""
    noise = np.random.default_rng(0).integers(230, 256, (700, 700), dtype=np.uint8)
    large = picture.with_name("large.png")
    seven = np.asarray(Image.open(picture).resize((700, 700)))
    Image.fromarray(np.minimum(seven, noise)).save(large)
    assert large.stat().st_size > INLINE
    command = (sys.executable, "-m", "deploy.command", "submit", "digits", "--file", f"image=@{large.name}")

    status, out, err = await run(system[0], large.parent, *command)
    job = await system[1].finished(out.strip())
    async with AsyncClient(system[0].url) as client:
        attached = await client.attach(large)
        result = await client.run("digits", {"image": attached})

    assert status == 0, err
    assert attached.keys() == {"upload"}
    assert job["result"]["digit"] == result["digit"] == 7
    shown = await system[1].http.get(job["urls"]["self"], params={"include": "input"})
    assert shown.json()["input"]["image"].keys() == {"upload"}


async def test_the_commands_of_the_readme(system: tuple[LocalSystem, Client], tmp_path: Path) -> None:
    lines = [line.removeprefix("$ ") for line in from_readme("console").splitlines() if line.startswith("$ ")]
    script = "\n".join(lines).replace(".venv/bin/torchrelay", f"{shlex.quote(sys.executable)} -m deploy.command")

    status, out, err = await run(system[0], tmp_path, "bash", "-euc", script)

    assert status == 0, err
    assert '{"label": "sport", "scores": [' in out
    assert len(json.loads((tmp_path / "vectors.json").read_text())["embeddings"]) == 2


async def test_the_program_of_the_readme(system: tuple[LocalSystem, Client], tmp_path: Path) -> None:
    status, out, err = await run(system[0], tmp_path, sys.executable, "-c", from_readme("python"))

    assert status == 0, err
    assert "'label': 'sport'" in out
