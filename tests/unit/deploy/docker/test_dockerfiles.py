"""The images: what they are made from, as whom they run, and in which order their layers change."""

import json
import re
import tomllib
from importlib.metadata import requires
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.unit.deploy.docker.composition import SERVICES
from tests.unit.deploy.docker.dockerfile import FILES, IMAGES, Stage, stages

BASES = {"python:3.11-slim-bookworm", "node:22-slim", "postgres:18"}
ALL = {name: stage for file in FILES for name, stage in stages(file).items()}
FINAL = [stage for name, stage in ALL.items() if name in {"api", "worker", "postgres"}]
INSTALLING = [stage for stage in ALL.values() if any("pip install" in run for run in stage.all("RUN"))]

each_final = pytest.mark.parametrize("stage", FINAL, ids=[stage.name for stage in FINAL])
each_installing = pytest.mark.parametrize("stage", INSTALLING, ids=[stage.name for stage in INSTALLING])


def test_every_base_is_pinned() -> None:
    outside = {stage.base for stage in ALL.values()} - ALL.keys()
    assert outside == BASES


def test_what_compose_builds_is_there() -> None:
    for service in SERVICES.values():
        if build := service.get("build"):
            file = Path(build["context"]) / build["dockerfile"]
            assert build.get("target", file.stem) in stages(file)


@each_final
def test_nobody_is_root_at_the_end(stage: Stage) -> None:
    keyword, user = [one for one in stage.instructions if one[0] != "CMD" and one[0] != "EXPOSE"][-1]
    assert keyword == "USER"
    assert user.split(":")[0] not in {"0", "root"}


@pytest.mark.parametrize("name", ["api", "worker"])
def test_the_process_gets_its_signals_itself(name: str) -> None:
    """Without a shell before it, which would not pass SIGTERM on: nothing would be drained."""
    (command,) = ALL[name].all("CMD")
    assert json.loads(command)[0] == "python"


@each_installing
def test_packages_come_as_locked_and_from_the_cache(stage: Stage) -> None:
    for run in stage.all("RUN"):
        if "pip install" in run:
            assert "--constraint /requirements.lock" in run
            assert "--mount=type=cache,target=/root/.cache/pip" in run


@pytest.mark.parametrize("name", ["api", "worker", "page"])
def test_a_change_of_code_installs_nothing_again(name: str) -> None:
    """Code comes last: after it there is nothing that takes long."""
    stage = ALL[name]
    first = next(place for place, (word, rest) in enumerate(stage.instructions) if word == "COPY" and _is_code(rest))
    assert not [rest for _, rest in stage.instructions[first:] if re.search(r"pip|npm ci|apt", rest)]


def test_the_page_is_built_from_its_lock() -> None:
    assert any("npm ci" in run for run in ALL["page"].all("RUN"))
    assert "--from=page /frontend/dist frontend/dist" in ALL["api"].all("COPY")


def test_an_image_has_only_the_packages_that_its_service_may_import() -> None:
    assert _packages(ALL["api"]) == {"shared", "api_service", "deploy/client", "deploy/command"}
    assert _packages(ALL["worker"]) == {"shared", "ml_service"}


def test_nothing_that_the_api_needs_brings_torch() -> None:
    """Over the installed packages' own requirements, however deep."""
    found = _with_all_that_they_need([f"torchrelay[{_extra('api')}]"])
    assert "fastapi" in found
    assert not found & {"torch", "transformers", "numpy", "scikit-learn"}


def test_the_lists_of_requirements_stand_for_themselves() -> None:
    """The Dockerfile hands them to pip as they are: one that names another of our extras would ask for this project."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][name] for name in ("api", "ml"))]
    assert not [one for one in chain(*lists) if Requirement(one).name == "torchrelay"]


def test_the_build_gets_what_it_copies_and_nothing_secret() -> None:
    first, *rules = [line for line in Path(".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert first == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {source for stage in stages(IMAGES).values() for copy in stage.all("COPY") for source in _sources(copy)}
    # A folder's own files are in with it.
    assert {source for source in copied if not any((source + "/").startswith(name + "/") for name in allowed)} == set()
    assert {name for name in allowed if not any((source + "/").startswith(name + "/") for source in copied)} == set()
    assert not [name for name in allowed if name.startswith(".")]


def test_torch_of_the_gpu_image_can_be_chosen() -> None:
    assert [one.partition("=")[0] for one in ALL["worker"].all("ARG")] == ["TORCH_INDEX"]
    assert '--index-url "$TORCH_INDEX"' in ALL["worker"].all("RUN")[0]


def _is_code(copy: str) -> bool:
    return any(source in {"shared", "api_service", "ml_service", "frontend"} for source in _sources(copy))


def _sources(copy: str) -> list[str]:
    """What it takes from the build context."""
    return [] if copy.startswith("--from") else [one for one in copy.split()[:-1] if not one.startswith("--")]


def _packages(stage: Stage) -> set[str]:
    return {
        source for copy in stage.all("COPY") for source in _sources(copy) if (Path(source) / "__init__.py").is_file()
    }


def _extra(stage: str) -> str:
    """The extra that this image installs: /api.txt is the list of `api`."""
    (name,) = re.findall(r"--requirement /(\w+)\.txt", " ".join(ALL[stage].all("RUN")))
    return str(name)


def _with_all_that_they_need(wanted: list[str]) -> set[str]:
    found: set[str] = set()
    seen: set[str] = set()
    while wanted:
        one = Requirement(wanted.pop())
        if str(one) in seen:
            continue
        seen.add(str(one))
        found.add(one.name.lower().replace("_", "-"))
        for text in requires(one.name) or []:
            needed = Requirement(text)
            if any(needed.marker is None or needed.marker.evaluate({"extra": extra}) for extra in one.extras or {""}):
                wanted.append(text.partition(";")[0])
    return found
