"""Putting models into the catalogue before any worker runs."""

from functools import partial
from pathlib import Path

import pytest

from ml_service import register as register_module
from ml_service.discovery import discover
from ml_service.register import register
from ml_service.settings import WorkerSettings
from tests.contract.database.stage import Stage
from tests.hand_broker import HandBroker
from tests.unit.ml_service.child.conftest import ZOO
from tests.unsteady_database import UnsteadyDatabase


async def test_what_cannot_be_registered_keeps_no_other_from_it(
    db: UnsteadyDatabase, stage: Stage, broker: HandBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cold", "nameless", "unstorable"):
        (tmp_path / f"{name}.py").symlink_to(ZOO / f"{name}.py")
    monkeypatch.setattr(register_module, "discover", partial(discover, built_in={}))
    assert await register(WorkerSettings(models_dir=tmp_path), db, broker) == 1
    assert [row["name"] for row in await stage.connection.fetch("SELECT name FROM models")] == ["cold"]
    assert broker.provisioned == ["cold"]
