"""A client for Torchrelay's HTTP API, for ordinary programs and for asyncio: see docs/client.md.

It needs httpx and msgspec, and nothing of Torchrelay's other parts.
"""

from deploy.client.answers import (
    Attempt,
    Batch,
    DeadLetter,
    Delivery,
    Event,
    Fault,
    Job,
    JobError,
    Model,
    Percentiles,
    Progress,
    Queue,
    State,
    Stats,
    Upload,
    Version,
    Worker,
)
from deploy.client.async_client import AsyncClient
from deploy.client.client import Client
from deploy.client.errors import (
    ConnectionFailed,
    InvalidRequest,
    JobFailed,
    ProblemError,
    TorchrelayClientError,
    UnexpectedAnswer,
    WaitTimedOut,
)

__all__ = [
    "AsyncClient",
    "Attempt",
    "Batch",
    "Client",
    "ConnectionFailed",
    "DeadLetter",
    "Delivery",
    "Event",
    "Fault",
    "InvalidRequest",
    "Job",
    "JobError",
    "JobFailed",
    "Model",
    "Percentiles",
    "ProblemError",
    "Progress",
    "Queue",
    "State",
    "Stats",
    "TorchrelayClientError",
    "UnexpectedAnswer",
    "Upload",
    "Version",
    "WaitTimedOut",
    "Worker",
]
