"""What of the page is in the API's wheel."""

from pathlib import Path

import pytest
from setuptools import Distribution  # type: ignore[import-untyped]

from deploy.wheel import BuildWithPage


def build(*, editable: bool = False) -> None:
    command = BuildWithPage(Distribution({"packages": []}))
    command.build_lib = "lib"
    command.editable_mode = editable
    command.ensure_finalized()
    command.run()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frontend/dist/assets").mkdir(parents=True)
    (tmp_path / "frontend/dist/index.html").touch()
    (tmp_path / "frontend/dist/assets/page-1.js").touch()
    return tmp_path


def test_the_built_page_is_in_the_wheel_without_what_was_built_before(checkout: Path) -> None:
    build()
    (checkout / "frontend/dist/assets/page-1.js").rename(checkout / "frontend/dist/assets/page-2.js")

    build()

    files = {str(file.relative_to("lib/api_service/page")) for file in Path("lib").rglob("*") if file.is_file()}
    assert files == {"index.html", "assets/page-2.js"}


def test_without_a_page_there_is_a_wheel_all_the_same(checkout: Path) -> None:
    (checkout / "frontend/dist/index.html").unlink()

    build()

    assert not Path("lib/api_service/page").exists()


def test_an_editable_installation_copies_nothing(checkout: Path) -> None:
    build(editable=True)

    assert not Path("lib/api_service/page").exists()
