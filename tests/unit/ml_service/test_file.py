import base64
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from ml_service.file import File
from ml_service.model import Payload
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


class Uploads:
    def read(self, upload: UUID) -> bytes:
        return str(upload).encode()


class Pictures(Payload):
    images: list[File]


def test_an_upload_is_read_through_what_the_input_is_validated_with() -> None:
    upload = str(uuid4())
    pictures = Pictures.model_validate_json(f'{{"images": [{{"upload": "{upload}"}}]}}', context=Uploads())
    (image,) = pictures.images
    assert image.read() == image.model_copy().read() == upload.encode()


def test_outside_of_a_job_there_are_no_uploads() -> None:
    with pytest.raises(InvalidInput, match="only while a job runs"):
        File(upload=uuid4()).read()


BOTH = '{"data": "data:a/b;base64,", "upload": "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55"}'


@pytest.mark.parametrize("given", ["{}", BOTH, '{"upload": "x"}'], ids=["neither", "both", "no id"])
def test_a_file_is_one_of_both(given: str) -> None:
    with pytest.raises(ValidationError):
        File.model_validate_json(given)


def test_the_schema_says_what_the_class_does() -> None:
    schema = File.model_json_schema()
    assert schema["oneOf"] == [{"required": ["data"]}, {"required": ["upload"]}]
    assert schema["properties"]["data"]["pattern"].startswith("^data:")
    assert [schema["properties"][name]["format"] for name in ("data", "upload")] == ["data-url", "upload-id"]
    assert not any("default" in field or "anyOf" in field for field in schema["properties"].values())
