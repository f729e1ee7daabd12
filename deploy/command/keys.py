"""`torchrelay keys`: API keys, made and revoked where the server's database is. The API itself gives nobody a key."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import typer

from api_service.caller import LOCAL, Scope
from deploy.command.exits import Exit
from deploy.command.output import ago, say, show_table, write, write_json
from deploy.command.session import Json
from shared.database.keys import ApiKey, create_key, list_keys, revoke_key
from shared.database.pool import Database
from shared.errors import DatabaseUnavailable, InvalidSettings
from shared.logs import configure_logs
from shared.settings import DatabaseSettings, LogSettings, read_settings

T = TypeVar("T")

PATIENCE = 5.0  # seconds for the database to answer: somebody sits before it
MADE_BY_RUN = Path(".torchrelay/postgres")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Create, list and revoke API keys: in the database of DATABASE_URL or, where that is not set, of the `make run` "
    "that goes on in this folder.",
)


@app.command()
def create(
    owner: Annotated[str, typer.Option(help=f"Whose jobs it sees and submits. `{LOCAL}` has those made without keys.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it allows; may be given several times. submit and read, if none is."),
    ] = None,
    name: Annotated[str, typer.Option(help="What it is for, so that you know it again.")] = "",
    as_json: Json = False,
) -> None:
    """Make a key, and print it: this once, for it is stored nowhere."""
    if not owner or "\0" in owner + name:
        raise typer.BadParameter("An owner has a name.")
    scopes = scope or [Scope.SUBMIT, Scope.READ]
    new = _with_database(lambda db: create_key(db, owner, scopes, name))
    if as_json:
        write_json(_fields(new.key) | {"key": new.text})
    else:
        write(new.text)
    say(f"Key {new.key.id} of {owner}, for {', '.join(new.key.scopes)}. It is shown this once: keep it now.")
    say("Send it as `Authorization: Bearer …`, or set TORCHRELAY_API_KEY.")


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """List the keys, the oldest first, with those that are revoked."""
    found = _with_database(list_keys)
    if as_json:
        for key in found:
            write_json(_fields(key))
        return
    rows = [
        (key.id, key.owner, ", ".join(key.scopes), key.name, ago(key.created_at), ago(key.revoked_at)) for key in found
    ]
    show_table(["ID", "OWNER", "SCOPES", "NAME", "CREATED", "REVOKED"], rows, "There is no key.")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")], as_json: Json = False
) -> None:
    """Revoke a key: within a second no API process takes it any more. May be repeated."""
    key = _with_database(lambda db: revoke_key(db, key_id))
    if key is None:
        say("error: There is no such key.")
        raise typer.Exit(Exit.REFUSED)
    if as_json:
        write_json(_fields(key))
    else:
        say(f"Key {key.id} of {key.owner} is revoked.")


def _fields(key: ApiKey) -> dict[str, Any]:
    """All but the hash."""
    names = ("id", "owner", "name", "scopes", "created_at", "revoked_at")
    return {name: getattr(key, name) for name in names}


def _with_database(do: Callable[[Database], Awaitable[T]]) -> T:
    with _told():
        configure_logs(read_settings(LogSettings))  # to stderr: stdout is for the key
        url = _database_url()
        return asyncio.run(_connected(url, do))


async def _connected(url: str, do: Callable[[Database], Awaitable[T]]) -> T:
    db = await Database.connect(url, size=2, patience=PATIENCE, application="torchrelay-keys")
    try:
        return await do(db)
    finally:
        await db.close()


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong, as the rest of the command tells it."""
    try:
        yield
    except InvalidSettings as error:
        say(f"error: {error}")
        raise typer.Exit(Exit.USAGE) from None
    except asyncpg.UndefinedTableError:
        say("error: The database has no tables yet: python -m shared.database upgrade")
        raise typer.Exit(Exit.SERVER) from None
    except DatabaseUnavailable as error:
        say(f"error: {error}")
        raise typer.Exit(Exit.SERVER) from None


def _database_url() -> str:
    """Raises InvalidSettings."""
    settings = read_settings(DatabaseSettings)
    if "database_url" in settings.model_fields_set or not MADE_BY_RUN.exists():
        return settings.database_url
    return _of_make_run() or settings.database_url


def _of_make_run() -> str | None:
    """None: nobody has it running here. The launcher's packages are only where it is."""
    try:
        server = import_module("deploy.local.postgres").Postgres(MADE_BY_RUN)
    except ImportError:
        return None
    return str(server.url()) if server.ready() else None
