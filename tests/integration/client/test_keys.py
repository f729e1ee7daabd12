"""`torchrelay keys`: the key on stdout, once; all that is said about it on stderr; and nothing of it anywhere else."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from deploy.local.postgres import Postgres
from shared.database.keys import find_keys, parse_key
from shared.database.pool import Database
from tests.integration.client.test_command import Ended, ended

Keys = Callable[..., Awaitable[Ended]]

ROOT = Path.cwd()


async def run(*arguments: str, folder: Path = ROOT, **environment: str) -> Ended:
    """In a folder that need not be this one; a variable that is empty counts as unset."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "deploy.command", "keys", *arguments)
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return await ended(
        await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=variables, cwd=str(folder)
        )
    )


@pytest.fixture
def keys(database_url: str) -> Keys:
    async def keys(*arguments: str) -> Ended:
        return await run(*arguments, DATABASE_URL=database_url)

    return keys


async def test_a_key_is_made_and_printed_alone(keys: Keys, db: Database) -> None:
    done = await keys("create", "--owner", "ann", "--scope", "read", "--scope", "admin", "--name", "a laptop")

    assert done.status == 0, done.err
    parts = parse_key(done.out.removesuffix("\n"))
    assert parts is not None
    (key,) = await find_keys(db, [parts[0]])
    assert key is not None
    assert (key.owner, key.scopes, key.name) == ("ann", ("admin", "read"), "a laptop")
    assert key.has_secret(parts[1])
    assert parts[0] in done.err
    assert parts[1] not in done.err


async def test_without_scopes_it_is_for_submitting_and_reading(keys: Keys) -> None:
    done = await keys("create", "--owner", "ann", "--json")

    assert (done.json["owner"], done.json["scopes"]) == ("ann", ["read", "submit"])
    assert parse_key(done.json["key"])


async def test_keys_are_listed_without_their_secrets_and_revoked(keys: Keys) -> None:
    secret = (await keys("create", "--owner", "ann", "--name", "a laptop")).out.strip().rpartition("_")[2]
    key_id = json.loads((await keys("list", "--json")).out)["id"]
    revoked = await keys("revoke", key_id)
    again = await keys("revoke", key_id, "--json")
    listed = await keys("list")

    assert (revoked.status, again.status) == (0, 0)
    assert again.json["revoked_at"] is not None
    assert key_id in listed.words
    assert "a laptop" in listed.words
    assert "ago" in listed.words.partition("a laptop")[2].partition("ago")[2]  # created, and revoked
    assert secret not in listed.out + again.out + revoked.err


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["create"], 2),
        (["create", "--owner", ""], 2),
        (["create", "--owner", "ann", "--scope", "fly"], 2),
        (["revoke", "nothing"], 4),
    ],
)
async def test_what_it_cannot_do_has_a_status_and_makes_nothing(keys: Keys, arguments: list[str], status: int) -> None:
    done = await keys(*arguments)

    assert (done.status, done.out) == (status, "")
    assert "Traceback" not in done.err
    assert (await keys("list", "--json")).out == ""


async def test_a_database_without_tables_is_told_how_to_get_some(postgres: Postgres) -> None:
    postgres.create_database("bare")

    done = await run("list", DATABASE_URL=postgres.url("bare"))

    assert done.status == 3
    assert "python -m shared.database upgrade" in done.err


async def test_the_database_of_make_run_is_found_from_its_folder(tmp_path: Path, migrated: str) -> None:
    server = Postgres(tmp_path / ".torchrelay/postgres", durable=False)
    with server.running():
        server.create_database()
        done = await run("list", folder=tmp_path, DATABASE_URL="")

    assert done.status == 3
    assert "has no tables yet" in done.err  # it is that one
