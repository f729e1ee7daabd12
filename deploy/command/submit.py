"""torchrelay submit."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.client import Client, InvalidRequest, Job, JobFailed, Model, ProblemError
from deploy.command.inputs import Given, build_input, parse_file, parse_pair, read_json
from deploy.command.output import say, show_json, write, write_json
from deploy.command.progress import wait_visibly
from deploy.command.session import Json, Timeout, client_of


def submit(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="See `torchrelay models`.")],
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="NAME=VALUE",
            help="A field of the input; the model's schema says whether it is text, a number, true or false. Repeat it for "
            "lists. NAME:=JSON takes any JSON.",
        ),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file",
            "-f",
            metavar="NAME=@PATH",
            help="A file for a field: inside the input, or uploaded if it is large.",
        ),
    ] = None,
    input_file: Annotated[
        str | None, typer.Option("--input-file", metavar="PATH", help="The whole input as JSON; - is stdin.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="Of the model; its default version if left out.")] = None,
    task: Annotated[str | None, typer.Option(help="inference, if left out, or training.")] = None,
    queue_ttl: Annotated[float | None, typer.Option(metavar="SECONDS", help="It expires if it waits longer.")] = None,
    execution_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="That one attempt may run.")
    ] = None,
    max_attempts: Annotated[int | None, typer.Option(help="That may end badly.")] = None,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="Kept with the job, for you.")] = None,
    webhook: Annotated[str | None, typer.Option(metavar="URL", help="Is told when the job has ended.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same submission with the same key makes one job.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the result, and print it.")] = False,
    timeout: Timeout = None,
    as_json: Json = False,
) -> None:
    """Submit a job, and print its id; with --wait, its result."""
    with client_of(context) as client:
        described = _described(client, model)
        whole = _whole(input_file)
        fields = _fields(client, described, task, given or (), files or ())
        job = client.submit(
            model,
            _together(whole, fields) if fields or input_file is not None else {},
            version=version,
            task=task,
            queue_ttl=queue_ttl,
            execution_timeout=execution_timeout,
            max_attempts=max_attempts,
            metadata=None if metadata is None else read_json(metadata, "--metadata"),
            webhook=None if webhook is None else {"url": webhook},
            idempotency_key=idempotency_key,
        )
        if not wait:
            _submitted(job, described, as_json=as_json)
            return
        job = wait_visibly(client, job, timeout)
        if as_json:
            write_json(job)
        if not job.succeeded:
            raise JobFailed(job)
        if not as_json:
            show_json(job.result if job.result is not None else client.result(job))


def _described(client: Client, model: str) -> Model:
    """Raises ProblemError; where only reading is not allowed, a model of which nothing is known."""
    try:
        return client.model(model)
    except ProblemError as error:
        if error.status != 403:
            raise
        return Model(name=model)


def _whole(input_file: str | None) -> Any:
    if input_file is None:
        return {}
    try:
        text = sys.stdin.read() if input_file == "-" else Path(input_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{input_file} cannot be read: {error}.") from error
    return read_json(text, input_file)


def _fields(
    client: Client, model: Model, task: str | None, given: Sequence[str], files: Sequence[str]
) -> dict[str, Any]:
    pairs = [parse_pair(option) for option in given]
    named = [parse_file(option) for option in files]
    schema = (model.training_schema if task == "training" else None) or model.input_schema
    # Looked at before anything is uploaded.
    build_input(schema, [*pairs, *(Given(name, value=None) for name, _ in named)])
    attached = [Given(name, value=client.attach(path)) for name, path in named]
    return build_input(schema, [*pairs, *attached])


def _together(whole: Any, fields: dict[str, Any]) -> Any:
    if not fields:
        return whole
    if not isinstance(whole, dict):
        raise InvalidRequest("--input and --file are fields of an object, and what --input-file gives is none.")
    return {**whole, **fields}


def _submitted(job: Job, model: Model, *, as_json: bool) -> None:
    if as_json:
        write_json(job)
        return
    write(job.id)
    waits = "" if model.live_workers else " No worker serves it now: it waits until one does."
    say(f"Submitted to {job.model} version {job.version}.{waits} To see it: torchrelay watch {job.id}")
