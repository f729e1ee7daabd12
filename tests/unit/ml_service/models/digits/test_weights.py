from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from ml_service.model import LoadContext
from ml_service.models.digits import weights
from ml_service.models.digits.model import Digits
from ml_service.models.digits.network import network
from shared.errors import InvalidModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version of untrained weights."""
    path = tmp_path / "digits" / "1"
    weights.write(path, network().state_dict(), {"test_accuracy": 0.1})
    return path


def load(folder: Path) -> None:
    Digits().load(LoadContext(device="cpu", files=folder))


def test_what_was_written_is_read(folder: Path) -> None:
    load(folder)
    tensors = {"a": torch.arange(3)}
    weights.write(folder, tensors, {})
    assert weights.read(folder)["a"].tolist() == [0, 1, 2]


def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"missing .*python -m ml_service\.models\.digits\.train --output"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", [weights.WEIGHTS, weights.DESCRIPTION])
def test_half_a_version_is_missing_weights(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InvalidModel, match=f"missing .*{name}"):
        load(folder)


def test_one_changed_byte_is_found(folder: Path) -> None:
    content = bytearray((folder / weights.WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / weights.WEIGHTS).write_bytes(content)
    with pytest.raises(InvalidModel, match="sha256"):
        load(folder)


def test_a_description_without_a_pin_is_refused(folder: Path) -> None:
    (folder / weights.DESCRIPTION).write_text('name = "digits"\n')
    with pytest.raises(InvalidModel, match="sha256"):
        load(folder)


def test_a_description_that_is_no_toml_is_refused(folder: Path) -> None:
    (folder / weights.DESCRIPTION).write_text("[")
    with pytest.raises(InvalidModel, match="cannot be read"):
        load(folder)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    weights.write(folder, {"a": torch.zeros(1)}, {})
    with pytest.raises(InvalidModel, match="do not fit"):
        load(folder)


def test_a_pinned_file_that_is_no_safetensors_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "save", lambda _: b"something else")
    weights.write(folder, {}, {})
    with pytest.raises(InvalidModel, match="not a safetensors file"):
        load(folder)


def test_a_write_that_fails_leaves_the_old_version_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (folder / weights.WEIGHTS).read_bytes()

    def fails(*args: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(weights, "_description", fails)
    with pytest.raises(OSError, match="disk full"):
        weights.write(folder, {"a": torch.zeros(1)}, {})
    assert (folder / weights.WEIGHTS).read_bytes() == before
    assert list(folder.parent.iterdir()) == [folder]


def test_equal_tensors_make_equal_files() -> None:
    tensors = network().state_dict()
    assert save(tensors) == save(dict(reversed(tensors.items())))
