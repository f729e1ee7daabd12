"""torchrelay dead-letters: messages that no worker could read."""

from collections.abc import Iterator
from typing import Annotated

import typer

from deploy.client import DeadLetter
from deploy.command.output import Cell, ago, clean, say, show_fields, show_table, write, write_json
from deploy.command.session import Json, client_of

app = typer.Typer(no_args_is_help=True, help="See to messages that no worker could read. Needs the scope `admin`.")

LetterId = Annotated[str, typer.Argument(metavar="ID", help="The dead letter's id, as `list` shows it.")]


@app.command("list")
def list_letters(
    context: typer.Context,
    queue: Annotated[str | None, typer.Option(help="Only those of this queue.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List dead letters, the newest first."""
    with client_of(context) as client:
        found = client.dead_letters(queue=queue, limit=limit)
        if as_json:
            for letter in found:
                write_json(letter)
            return
        rows = [(letter.id, letter.queue, ago(letter.received_at), letter.size, letter.reason) for letter in found]
    show_table(["ID", "QUEUE", "RECEIVED", "BYTES", "REASON"], rows, "There is no dead letter.")


@app.command()
def inspect(context: typer.Context, letter_id: LetterId, as_json: Json = False) -> None:
    """Show a dead letter, with what it says."""
    with client_of(context) as client:
        letter = client.dead_letter(letter_id)
    if as_json:
        write_json(letter)
        return
    show_fields(_fields(letter))
    write("data:" if letter.encoding == "utf-8" else f"data ({letter.encoding}):")
    write(clean(letter.data or ""))


@app.command()
def redrive(context: typer.Context, letter_id: LetterId, as_json: Json = False) -> None:
    """Have the job of a dead letter published anew, now that the letter can be read."""
    with client_of(context) as client:
        job = client.redrive(letter_id)
    if as_json:
        write_json(job)
    else:
        say(f"Job {job.id} is published anew; the dead letter is gone. To see it: torchrelay watch {job.id}")


@app.command()
def delete(context: typer.Context, letter_id: LetterId, as_json: Json = False) -> None:
    """Delete a dead letter, and leave its job as it is."""
    with client_of(context) as client:
        client.delete_dead_letter(letter_id)
    if as_json:
        write_json({"id": letter_id, "deleted": True})
    else:
        say(f"Dead letter {letter_id} is deleted.")


def _fields(letter: DeadLetter) -> Iterator[tuple[str, Cell]]:
    yield "dead letter", letter.id
    yield "queue", letter.queue
    yield "reason", letter.reason
    yield "received", ago(letter.received_at)
    yield "bytes", letter.size
    for name, value in letter.attributes.items():
        yield f"attribute {name}", value
