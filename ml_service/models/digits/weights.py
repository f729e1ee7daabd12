"""A trained version as files: `model.safetensors` beside `model.toml`, which pins it by its sha256."""

import hashlib
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from shared.errors import InvalidModel

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.toml"
REMEDY = "train it: python -m ml_service.models.digits.train --output <model repository>"


def write(folder: Path, tensors: Mapping[str, Tensor], metrics: Mapping[str, float]) -> None:
    """Makes the folder, or replaces it. Under its name it only ever stands complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        weights = save(dict(tensors))
        (fresh / WEIGHTS).write_bytes(weights)
        (fresh / DESCRIPTION).write_text(_description(folder, weights, metrics), encoding="utf-8")
        if folder.exists():
            # A folder cannot be renamed over a full one; whoever dies between the two lines leaves none, not half of one.
            folder.rename(Path(scratch) / "old")
        fresh.rename(folder)


def read(folder: Path) -> dict[str, Tensor]:
    """The tensors. Raises InvalidModel, saying what to do, if they are missing or not those that were written."""
    try:
        description = tomllib.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS).read_bytes()
    except FileNotFoundError as error:
        raise InvalidModel(f"the weights are missing ({error.filename}); {REMEDY}") from error
    except ValueError as error:
        raise InvalidModel(f"{folder / DESCRIPTION} cannot be read ({error}); {REMEDY}") from error
    # What was hashed is what is loaded: the file is read once.
    if hashlib.sha256(weights).hexdigest() != description.get("sha256"):
        raise InvalidModel(f"{folder / WEIGHTS} is not the file that {DESCRIPTION} pins by its sha256; {REMEDY}")
    try:
        return load(weights)
    except SafetensorError as error:
        raise InvalidModel(f"{folder / WEIGHTS} is not a safetensors file ({error}); {REMEDY}") from error


def _description(folder: Path, weights: bytes, metrics: Mapping[str, float]) -> str:
    lines = [
        f'name = "{folder.parent.name}"',
        f"version = {folder.name}",
        f'weights = "{WEIGHTS}"',
        f'sha256 = "{hashlib.sha256(weights).hexdigest()}"',
        "",
        "[metrics]",
        *(f"{name} = {value}" for name, value in metrics.items()),
    ]
    return "\n".join(lines) + "\n"
