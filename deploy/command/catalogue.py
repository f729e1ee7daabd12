"""The subcommands about models, workers and queues."""

import json
import shlex
from datetime import timedelta
from typing import Annotated

import typer

from deploy.client import Model, Percentiles, State, Worker
from deploy.command.inputs import fields_of
from deploy.command.output import ago, lasting, say, show_fields, show_table, write, write_json
from deploy.command.session import Json, client_of

COUNTED = (State.QUEUED, State.RUNNING, State.SUCCEEDED, State.FAILED)


def models(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Tell all about this one.")] = None,
    as_json: Json = False,
) -> None:
    """List the models, or describe one with its input."""
    with client_of(context) as client:
        if name is not None:
            one = client.model(name)
            write_json(one) if as_json else _describe(one)
            return
        found = client.models()
    if as_json:
        for model in found:
            write_json(model)
        return
    rows = [(model.name, _default(model), _state(model), model.live_workers, model.description) for model in found]
    show_table(["MODEL", "VERSION", "STATE", "WORKERS", "DESCRIPTION"], rows, "No worker has registered a model yet.")


def workers(context: typer.Context, as_json: Json = False) -> None:
    """List the workers that are alive, or died within the last hour."""
    with client_of(context) as client:
        found = client.workers()
    if as_json:
        for worker in found:
            write_json(worker)
        return
    rows = [
        (one.name, "alive" if one.alive else "dead", one.device, _served(one), ago(one.heartbeat_at)) for one in found
    ]
    show_table(["WORKER", "STATE", "DEVICE", "MODELS", "HEARD OF"], rows, "There is no worker.")


def stats(context: typer.Context, as_json: Json = False) -> None:
    """Show how the queues are doing."""
    with client_of(context) as client:
        found = client.stats()
    if as_json:
        write_json(found)
        return
    rows = [
        (
            one.queue,
            *(one.counts.get(state, 0) for state in COUNTED),
            _seconds(one.oldest_waiting),
            one.done_per_minute,
            _both(one.waiting),
            _both(one.running),
        )
        for one in found.queues
    ]
    counted = [state.upper() for state in COUNTED]
    columns = ["QUEUE", *counted, "OLDEST", "DONE/MIN", "WAITED p50/p99", "RAN p50/p99"]
    show_table(columns, rows, "There is no queue yet.")


def _describe(model: Model) -> None:
    show_fields(
        [
            ("model", model.name),
            ("what it does", model.description),
            ("version", _default(model)),
            ("state", _state(model)),
            ("workers", model.live_workers),
            ("tasks", ", ".join(model.tasks)),
            ("error", next((version.error for version in model.versions if version.default), None)),
        ]
    )
    rows = [(name, kinds, "yes" if needed else "", text) for name, kinds, needed, text in fields_of(model.input_schema)]
    show_table(["FIELD", "KIND", "NEEDED", "DESCRIPTION"], rows, "Its input has no fields that are known.")
    if isinstance(model.example, dict):
        say("For example:")
        pairs = " ".join(f"--input {shlex.quote(f'{name}:={json.dumps(v)}')}" for name, v in model.example.items())
        write(f"torchrelay submit {shlex.quote(model.name)} {pairs} --wait")


def _default(model: Model) -> int | None:
    return next((version.version for version in model.versions if version.default), None)


def _state(model: Model) -> str:
    return next((version.state for version in model.versions if version.default), "")


def _served(worker: Worker) -> str:
    return ", ".join(f"{model.name} {model.version} ({model.state})" for model in worker.models)


def _both(of: Percentiles | None) -> str:
    return "" if of is None or of.p50 is None else f"{_seconds(of.p50)} / {_seconds(of.p99)}"


def _seconds(number: float | None) -> str:
    return "" if number is None else lasting(timedelta(seconds=number))
