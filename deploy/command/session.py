"""What all subcommands share: where the server is, and the options that many of them have."""

from dataclasses import dataclass
from typing import Annotated

import typer

from deploy.client import Client

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, as `submit` printed it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs: one document a line, no colours.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0, metavar="SECONDS", help="How long to wait; the job goes on.")
]


@dataclass(frozen=True, slots=True)
class Session:
    url: str | None
    api_key: str | None

    def client(self) -> Client:
        return Client(self.url, self.api_key)


def client_of(context: typer.Context) -> Client:
    session = context.find_object(Session)
    assert session is not None
    return session.client()
