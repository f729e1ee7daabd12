"""README.md and .env.example list the settings that there are."""

from pathlib import Path

import pytest

from deploy import settings_reference
from deploy.settings_reference import EXAMPLE, README, main


def test_both_are_up_to_date() -> None:
    assert main(["--check"]) == 0


def test_what_is_out_of_date_is_noticed_and_then_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme, example = tmp_path / "README.md", tmp_path / "example"
    readme.write_text(README.read_text().replace("`LEASE_SECONDS` | `30`", "`LEASE_SECONDS` | `31`"))
    example.write_text(EXAMPLE.read_text() + "# OLD=1\n")
    monkeypatch.setattr(settings_reference, "README", readme)
    monkeypatch.setattr(settings_reference, "EXAMPLE", example)
    assert main(["--check"]) == 1
    assert main([]) == 0
    assert main(["--check"]) == 0
    assert example.read_text() == EXAMPLE.read_text()
