import json
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnreadableMessage
from shared.message import LARGEST_PUBLISH_NO, VERSION, JobMessage

ATTRIBUTES = {"model": "echo", "task": "infer"}
NAMES = st.text(min_size=1, max_size=128)
MESSAGES = st.builds(
    JobMessage,
    job_id=st.uuids(),
    publish_no=st.integers(0, LARGEST_PUBLISH_NO),
    model=NAMES,
    task=NAMES,
    traceparent=st.none() | st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", fullmatch=True),
)


def body(**changed: object) -> bytes:
    return json.dumps(
        {"v": VERSION, "job_id": "0199a8c0-0000-7000-8000-000000000001", "publish_no": 1} | changed
    ).encode()


@given(MESSAGES)
def test_what_is_written_is_read_again(message: JobMessage) -> None:
    assert JobMessage.decode(*message.encode()) == message


@given(MESSAGES)
def test_the_data_is_json_under_a_kilobyte(message: JobMessage) -> None:
    data, _ = message.encode()
    assert len(data) < 1_000
    assert json.loads(data) == {"v": VERSION, "job_id": str(message.job_id), "publish_no": message.publish_no}


def test_fields_and_attributes_of_a_later_release_are_accepted() -> None:
    job_id = UUID(int=7)
    data = body(job_id=str(job_id), priority="high")
    assert JobMessage.decode(data, {**ATTRIBUTES, "region": "moon"}) == JobMessage(job_id, 1, "echo", "infer")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\xfd", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "version None"),
        (body(v=VERSION + 1), f"version {VERSION + 1}"),
        (body(v=str(VERSION)), "version"),
        (body(publish_no="1"), "publish_no '1' is not a number"),
        (body(publish_no=1.5), "publish_no 1.5 is not a number"),
        (body(publish_no=True), "publish_no True is not a number"),
        (body(publish_no=None), "publish_no None is not a number"),
        (body(publish_no=-1), "publish_no -1 is none"),
        (body(publish_no=LARGEST_PUBLISH_NO + 1), "publish_no 2147483648 is none"),
        (body(job_id="7"), "job_id '7' is not a UUID"),
        (body(job_id=7), "job_id 7 is not a UUID"),
        (body(job_id=None), "job_id None is not a UUID"),
        (body(job_id=["7"]), "is not a UUID"),
        (b'{"v": 1, "publish_no": 1}', "job_id None is not a UUID"),
    ],
)
def test_data_that_cannot_be_read_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableMessage, match=reason):
        JobMessage.decode(data, ATTRIBUTES)


@pytest.mark.parametrize("attributes", [{}, {"model": "echo"}, {"task": "infer"}, {"model": "", "task": "infer"}])
def test_a_message_without_its_attributes_says_why(attributes: dict[str, str]) -> None:
    with pytest.raises(UnreadableMessage, match="attributes model and task"):
        JobMessage.decode(body(), attributes)


@given(st.binary(), st.dictionaries(st.text(), st.text()))
def test_nothing_else_is_ever_raised_for_bytes(data: bytes, attributes: dict[str, str]) -> None:
    with suppress(UnreadableMessage):
        JobMessage.decode(data, attributes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(JSON, JSON, JSON)
def test_nothing_else_is_ever_raised_for_json(version: object, job_id: object, publish_no: object) -> None:
    data = json.dumps({"v": version, "job_id": job_id, "publish_no": publish_no}).encode()
    with suppress(UnreadableMessage):
        JobMessage.decode(data, ATTRIBUTES)
