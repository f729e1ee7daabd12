import base64

import pytest
from pydantic import ValidationError

from ml_service.file import File
from shared.errors import InvalidInput


@pytest.mark.parametrize("head", ["image/png", "IMAGE/PNG", "text/plain;charset=utf-8", "application/vnd.a+b"])
def test_a_data_url_is_read_as_its_bytes(head: str) -> None:
    content = bytes(range(256))
    assert File(data=f"data:{head};base64,{base64.b64encode(content).decode()}").read() == content


@pytest.mark.parametrize(
    "data", ["", "hello", "data:,hello", "data:image/png,hello", "file:///etc/passwd", "data:;base64,"]
)
def test_anything_but_a_base64_data_url_is_refused(data: str) -> None:
    with pytest.raises(ValidationError):
        File(data=data)


@pytest.mark.parametrize("encoded", ["*", "QQ", "Q Q=", "Qé=="])
def test_what_is_not_base64_is_an_invalid_input(encoded: str) -> None:
    with pytest.raises(InvalidInput, match="not valid base64"):
        File(data=f"data:image/png;base64,{encoded}").read()
