"""Whom a blob belongs to, by its key."""

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.blob_keys import OfAttempt, OfUpload, new_key, parse_key

ID = "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55"


def test_an_attempt_s_key_names_it_and_is_never_the_same() -> None:
    job_id = uuid7()
    keys = {new_key(job_id, 3) for _ in range(100)}
    assert len(keys) == 100
    assert {parse_key(key) for key in keys} == {OfAttempt(job_id, 3)}


def test_an_upload_s_key_names_it() -> None:
    assert parse_key(f"uploads/{ID}") == OfUpload(UUID(ID))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a",
        ID,
        f"{ID}/1",
        f"{ID}/1/x",
        f"{ID}/0/{ID}",
        f"{ID}/1/{ID}/x",
        f"x/{ID}/1/{ID}",
        f"uploads/{ID}/x",
        "uploads/x",
        f"{ID.upper()}/1/{ID}",
        f"{ID}/1/{ID}\n",
        f"{ID}/-1/{ID}",
        ".gitkeep",
        f"{ID}/99999999999/{ID}",
    ],
)
def test_anything_else_is_not_ours(key: str) -> None:
    assert parse_key(key) is None
