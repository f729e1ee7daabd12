"""Telling a stand-in, from any process, what shall go wrong.

async with Control(host) as control:
    await control.inject(Fault(kind=Kind.DROP, resource="echo", probability=0.1))
    ...
    print((await control.withdraw()).injected)
"""

from types import TracebackType
from typing import Any, Self

import grpc
import msgspec

from deploy.local.standin import commands
from deploy.local.standin.commands import Answer, Command
from deploy.local.standin.faults import Fault, Kind
from shared.errors import BrokerUnavailable

__all__ = ["Answer", "Control", "Fault", "Kind"]

_TIMEOUT = 10.0  # seconds


class Control:
    """Every method raises BrokerUnavailable, also for what the stand-in does not understand: the text tells."""

    def __init__(self, host: str) -> None:
        """`host`: as PUBSUB_EMULATOR_HOST has it."""
        self._channel: Any = grpc.aio.insecure_channel(host, options=[("grpc.enable_http_proxy", 0)])
        self._tell = self._channel.unary_unary(f"/{commands.SERVICE}/{commands.METHOD}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def inject(self, fault: Fault) -> int:
        """From now on. Returns its number."""
        return (await self._send(commands.Inject(fault))).number

    async def withdraw(self, number: int | None = None) -> Answer:
        """This fault or all of them; calls that hang go on. Returns the report of what had been injected."""
        return await self._send(commands.Withdraw(number))

    async def seed(self, seed: int) -> None:
        """Chance begins anew."""
        await self._send(commands.Seed(seed))

    async def report(self) -> Answer:
        """Of the faults that are in force, or used up."""
        return await self._send(commands.Ask())

    async def close_streams(self, resource: str = "*", status: str = "UNAVAILABLE") -> int:
        """Those of these subscriptions. Returns how many there were."""
        return (await self._send(commands.CloseStreams(resource, status))).number

    async def forget(self) -> None:
        """Everything but the faults, as a restart would."""
        await self._send(commands.Forget())

    async def _send(self, command: Command) -> Answer:
        try:
            answer = await self._tell(msgspec.json.encode(command), timeout=_TIMEOUT, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise BrokerUnavailable(f"The stand-in cannot be told: {error.details()}") from error
        return msgspec.json.decode(answer, type=Answer)
