"""What all subcommands share: where the server is, and the options that many of them have."""

from dataclasses import dataclass, replace
from typing import Annotated

import typer

from deploy.client import Client

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, as `submit` printed it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs: one document a line, no colours.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0, metavar="SECONDS", help="How long to wait; the job goes on.")
]


# Seconds that a command goes on while nothing gets through: somebody sits before it. Who waits for a job has more time.
PATIENCE, WAITING_PATIENCE = 10.0, 300.0


@dataclass(frozen=True, slots=True)
class Session:
    url: str | None
    api_key: str | None

    def client(self) -> Client:
        return Client(self.url, self.api_key, patience=PATIENCE)


def be_patient(client: Client) -> None:
    """From here on it outlasts a restart of the server."""
    client.policy = replace(client.policy, patience=WAITING_PATIENCE)


def client_of(context: typer.Context) -> Client:
    session = context.find_object(Session)
    assert session is not None
    return session.client()
