"""The `torchrelay` command as a whole."""

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from deploy.client import InvalidRequest, TorchrelayClientError
from deploy.command import catalogue, dead_letters, jobs
from deploy.command.exits import Exit, exit_of
from deploy.command.output import say, write
from deploy.command.progress import Interrupted
from deploy.command.session import Session
from deploy.command.submit import submit

app = typer.Typer(
    name="torchrelay",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done; 1 the job ended without a result; 2 wrong usage; 3 the server cannot be reached or cannot "
    "answer; 4 the server refused; 5 --timeout is over; 130 Ctrl-C.",
)
app.command()(submit)
app.command()(jobs.get)
app.command()(jobs.result)
app.command()(jobs.watch)
app.command("list")(jobs.list_jobs)
app.command()(jobs.cancel)
app.command()(jobs.retry)
app.command()(jobs.delete)
app.command()(catalogue.models)
app.command()(catalogue.workers)
app.command()(catalogue.stats)
app.add_typer(dead_letters.app, name="dead-letters")


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        write(f"torchrelay {version('torchrelay')}")
    except PackageNotFoundError:
        write("torchrelay, not installed")
    raise typer.Exit


@app.callback()
def torchrelay(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="TORCHRELAY_URL", help="Where Torchrelay is; http://127.0.0.1:8000 if nothing says otherwise."
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="TORCHRELAY_API_KEY", help="Better given by the environment: others can see a command's arguments."
        ),
    ] = None,
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Submit jobs to Torchrelay, and see what becomes of them."""
    context.obj = Session(url, api_key)


# Its own parser reads what follows; loaded when it is called, so that the rest works without the database's packages.
@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def keys(context: typer.Context) -> None:
    """Create, list and revoke API keys, where the server's DATABASE_URL is."""
    try:
        administration: typer.Typer = import_module("deploy.command.keys").app
    except ImportError as error:
        raise InvalidRequest(f"This is for the server's machine, and needs its packages ({error}).") from error
    administration(context.args, prog_name="torchrelay keys")


def main(arguments: Sequence[str] | None = None) -> int:
    """-> the exit status."""
    try:
        app(None if arguments is None else list(arguments), prog_name="torchrelay")
    except TorchrelayClientError as error:
        say(f"error: {error}")
        return exit_of(error)
    except OSError as error:
        say(f"error: {error}")
        return Exit.USAGE
    except Interrupted as interrupted:
        say(str(interrupted))
        return Exit.INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.DONE
    return Exit.DONE
