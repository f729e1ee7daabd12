"""docker-compose.yml: what is run, with which rights, in which order, and with which settings."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_service.backstage import BackstageSettings
from api_service.settings import ApiSettings
from deploy.local.components import HANDING_BACK
from deploy.settings_reference import GROUPS
from ml_service.settings import WorkerSettings
from shared.settings import DatabaseSettings, LogSettings, Settings
from tests.unit.deploy.docker.composition import COMPOSITION, FILE, GPU, SERVICES, run_to_their_end

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


@each_service
def test_a_container_has_no_rights_that_it_does_not_need(service: dict[str, Any]) -> None:
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"cap_add", "privileged", "pid", "ipc", "network_mode", "devices", "userns_mode"}


@each_service
def test_what_is_mounted_is_a_named_volume(service: dict[str, Any]) -> None:
    """Nothing of the machine itself: least of all Docker's own socket."""
    sources = {volume.split(":")[0] for volume in service.get("volumes", [])}
    assert sources <= COMPOSITION["volumes"].keys()


@each_service
def test_a_container_has_somewhere_to_write_of_limited_size(service: dict[str, Any]) -> None:
    assert any(re.match(r"/tmp:.*size=\d+m", mount) for mount in service["tmpfs"])


@each_service
def test_memory_and_processes_are_limited(service: dict[str, Any]) -> None:
    assert service["deploy"]["resources"]["limits"].keys() >= {"memory", "pids"}


@each_service
def test_a_log_cannot_fill_the_disk(service: dict[str, Any]) -> None:
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@each_service
def test_signals_reach_the_process_and_orphans_are_reaped(service: dict[str, Any]) -> None:
    assert service["init"] is True


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_how_it_is_and_one_that_ends_is_not_restarted(name: str) -> None:
    service = SERVICES[name]
    if name in run_to_their_end():
        assert service["restart"] == "no"
        assert "healthcheck" not in service
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@each_service
def test_what_a_service_needs_is_healthy_or_done_before_it_starts(service: dict[str, Any]) -> None:
    for name, needed in service.get("depends_on", {}).items():
        done = name in run_to_their_end()
        assert needed == {"condition": "service_completed_successfully" if done else "service_healthy"}


def test_the_database_is_migrated_and_the_models_registered_before_anything_serves() -> None:
    assert SERVICES["api"]["depends_on"].keys() == SERVICES["worker"]["depends_on"].keys() == {"prepare"}
    assert SERVICES["prepare"]["depends_on"].keys() == {"postgres", "broker"}
    upgrade, train, register = SERVICES["prepare"]["command"][-1].strip().splitlines()
    assert "shared.database upgrade" in upgrade
    assert "digits.train --missing" in train
    assert "ml_service register" in register


def test_only_this_machine_reaches_the_api_and_nobody_the_rest() -> None:
    """Nobody is asked who they are: ALLOW_UNAUTHENTICATED is bearable only like this."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:${API_PORT:-8000}:8000"]}
    assert COMPOSITION["networks"]["inside"] == {"internal": True}
    assert all(service["networks"] == ["inside"] for name, service in SERVICES.items() if name != "api")


def test_workers_cannot_change_the_models() -> None:
    assert SERVICES["prepare"]["volumes"] == ["models:/models"]
    assert "models:/models:ro" in SERVICES["worker"]["volumes"]


def test_api_and_workers_see_the_same_files() -> None:
    for name in ("api", "worker"):
        assert "blobs:/blobs" in SERVICES[name]["volumes"]
        assert SERVICES[name]["environment"]["BLOB_URL"] == "/blobs"


def test_a_worker_can_be_scaled() -> None:
    assert not SERVICES["worker"].keys() & {"container_name", "hostname", "ports"}


def test_a_stop_waits_for_what_the_service_finishes() -> None:
    assert _stop_grace("worker") > _default(WorkerSettings, "drain_grace") + HANDING_BACK
    assert _stop_grace("api") > _default(ApiSettings, "shutdown_grace")


@pytest.mark.parametrize(
    ("name", "kinds", "fixed_in_the_image"),
    [
        ("api", (ApiSettings, BackstageSettings, DatabaseSettings, LogSettings), {"FRONTEND_DIR"}),
        ("worker", (WorkerSettings,), {"MODEL_REPOSITORY"}),
        ("prepare", (WorkerSettings,), {"MODEL_REPOSITORY"}),
    ],
    ids=["api", "worker", "prepare"],
)
def test_every_setting_of_a_service_can_be_given_and_no_other(
    name: str, kinds: tuple[type[Settings], ...], fixed_in_the_image: set[str]
) -> None:
    there = {field.upper() for kind in kinds for field in kind.model_fields}
    assert SERVICES[name]["environment"].keys() == there - fixed_in_the_image


def test_every_variable_is_a_setting_or_described() -> None:
    settings = {field.upper() for kind in GROUPS.values() for field in kind.model_fields}
    described = set(re.findall(r"`([A-Z_]+)`", Path("docs/docker.md").read_text()))
    used = re.findall(r"(?<!\$)\$\{([A-Z_]+)", FILE.read_text() + GPU.read_text())
    assert used
    assert set(used) <= settings | described


def test_what_is_built_is_built_once() -> None:
    assert SERVICES["prepare"]["image"] == SERVICES["worker"]["image"]
    assert "build" not in SERVICES["prepare"]


def test_images_that_are_not_built_here_are_pinned() -> None:
    built = {service["image"] for service in SERVICES.values() if "build" in service}
    others = {service["image"] for service in SERVICES.values()} - built
    assert others == {"gcr.io/google.com/cloudsdktool/google-cloud-cli:emulators"}


def test_the_override_for_a_gpu_changes_only_the_worker() -> None:
    override = yaml.safe_load(GPU.read_text())
    assert override.keys() == {"services"}
    assert override["services"].keys() == {"worker"}
    worker = override["services"]["worker"]
    assert worker["environment"] == {"DEVICE": "cuda"}
    assert worker["build"]["args"].keys() == SERVICES["worker"]["build"]["args"].keys() == {"TORCH_INDEX"}
    assert "image" not in worker  # `prepare` runs what the worker builds


def _default(kind: type[Settings], name: str) -> float:
    value = kind.model_fields[name].default
    assert isinstance(value, float | int)
    return value


def _stop_grace(name: str) -> float:
    seconds = re.fullmatch(r"\$\{[A-Z_]+:-(\d+)s}", SERVICES[name]["stop_grace_period"])
    assert seconds is not None
    return float(seconds[1])
