"""What holds for every model that comes with Torchrelay."""

import subprocess
import sys
from typing import Any

import jsonschema_rs
import pytest

from ml_service.model import Model
from ml_service.models.digits.model import Digits
from ml_service.models.echo import Echo
from ml_service.models.text_embedding import TextEmbedding
from ml_service.models.zero_shot_text import ZeroShotText

every_model = pytest.mark.parametrize("model", [Digits, Echo, TextEmbedding, ZeroShotText])


@every_model
def test_the_example_fits_the_schema_and_the_class(model: type[Model]) -> None:
    assert model.example is not None
    jsonschema_rs.validate(model.Input.model_json_schema(), model.example)
    model.Input.model_validate(model.example)


@every_model
def test_the_page_can_label_every_field(model: type[Model]) -> None:
    schema: dict[str, Any] = model.Input.model_json_schema()
    for field in schema["properties"].values():
        named = schema["$defs"][field["$ref"].rpartition("/")[2]] if "$ref" in field else {}
        assert field["description"]
        assert (named | field)["title"]


@every_model
def test_the_description_is_one_sentence(model: type[Model]) -> None:
    assert model.description.endswith(".")
    assert len(model.description) < 120


@pytest.mark.parametrize(("model", "brings_torch"), [(Echo, 0), (Digits, 1), (TextEmbedding, 1), (ZeroShotText, 1)])
def test_whoever_computes_with_torch_brings_it_in_before_load(model: type[Model], brings_torch: int) -> None:
    """The child process goes by that when it chooses a device and limits torch's threads; echo does without."""
    code = f"import sys, {model.__module__}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == brings_torch
