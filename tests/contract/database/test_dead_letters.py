"""keep_dead_letter: what nobody could read is kept for people to look at (rule 5)."""

import json

import pytest

from shared.database.dead_letters import keep_dead_letter
from shared.database.pool import Database
from tests.contract.database.stage import Stage, new_id


async def test_an_unreadable_message_is_kept_with_the_reason(db: Database, stage: Stage) -> None:
    """Rule 5: byte for byte."""
    letter = new_id()
    await keep_dead_letter(db, letter, "echo", b"\x00\xff{", {"model": "echo"}, "the data is not JSON")
    (row,) = await stage.connection.fetch("SELECT *, now() - received_at < '1 min' AS recent FROM dead_letters")
    assert (row["id"], row["queue"], row["data"], row["reason"]) == (
        letter,
        "echo",
        b"\x00\xff{",
        "the data is not JSON",
    )
    assert json.loads(row["attributes"]) == {"model": "echo"}
    assert row["recent"]


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        ({"a\0": "b\0"}, {"a\ufffd": "b\ufffd"}),
        ({"half": "\ud83d", "whole": "\U0001f600"}, {"half": "\ufffd", "whole": "\U0001f600"}),
        ({"path": "C:\\u0000"}, {"path": "C:\\u0000"}),
    ],
)
async def test_no_attribute_is_too_odd_to_be_kept(
    attributes: dict[str, str], kept: dict[str, str], db: Database, stage: Stage
) -> None:
    """Rule 5: it would come back for ever."""
    await keep_dead_letter(db, new_id(), "echo", b"", attributes, "odd\0")
    row = await stage.connection.fetchrow("SELECT attributes, reason FROM dead_letters")
    assert (json.loads(row["attributes"]), row["reason"]) == (kept, "odd\ufffd")
