"""The folder that is kept between runs."""

import os
from pathlib import Path

import pytest

from deploy.local.data import DataFolder
from deploy.local.errors import CannotStart


def test_a_second_launcher_on_one_folder_is_refused_by_the_number_of_the_first(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    refused = pytest.raises(CannotStart, match=rf"in use by another `make run` \(process {os.getpid()}\)")
    with folder.locked(), refused, folder.locked():
        pass


def test_the_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    for _ in range(2):
        with folder.locked():
            pass


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Starting over would delete what is in it."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(CannotStart, match="holds other things"), DataFolder(tmp_path).locked():
        pass


def test_a_folder_in_which_a_service_by_itself_has_kept_blobs_is_ours(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    with DataFolder(tmp_path).locked():
        pass


def test_a_folder_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = DataFolder(tmp_path / "file" / "data")
    with pytest.raises(CannotStart, match="cannot be used: Not a directory"), folder.locked():
        pass


def test_clearing_removes_database_and_models_and_nothing_else(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    for path in (folder.database, folder.models, folder.blobs, tmp_path / "notes"):
        path.mkdir()
    assert folder.clear() == [folder.database, folder.models, folder.blobs]
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_clearing_an_empty_folder_removes_nothing(tmp_path: Path) -> None:
    assert DataFolder(tmp_path).clear() == []
