"""What holds for every model that comes with Torchrelay."""

import subprocess
import sys
from typing import Any

import jsonschema_rs
import pytest

from ml_service.model import Model
from ml_service.models.digits import Digits
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


def test_who_only_reads_the_schemas_does_not_pay_for_torch() -> None:
    code = "import sys; from {0} import {1}; {1}.Input.model_json_schema(); sys.exit('torch' in sys.modules)"
    imports = [code.format(model.__module__, model.__name__) for model in (Digits, Echo, TextEmbedding, ZeroShotText)]
    for line in imports:
        subprocess.run([sys.executable, "-c", line], check=True)
