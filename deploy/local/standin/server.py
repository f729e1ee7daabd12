"""The stand-in as a server."""

import time
from typing import Any, Self

import grpc

from deploy.local.standin.control_service import ControlService
from deploy.local.standin.faults import Faults
from deploy.local.standin.iam import IamPolicies
from deploy.local.standin.publisher import Publisher
from deploy.local.standin.registry import Registry
from deploy.local.standin.rpc import Gate, Hanging
from deploy.local.standin.schemas import NoSchemas
from deploy.local.standin.subscriber import Subscriber
from shared.errors import BrokerUnavailable

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a taken port shall be an error, not a lottery
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),  # more than a publish may have: that is refused with words
    ("grpc.max_send_message_length", -1),
    # Clients ping while they wait; that is no reason to hang up.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
    # A client whose other end has silently gone does not keep its messages for longer than this.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


class StandIn:
    """`async with StandIn() as standin:` serves at `standin.host` inside, from nothing."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, seed: int = 0) -> None:
        self._address = host
        self._port = port
        self.faults = Faults(seed)
        self.registry = Registry(time.time, self.faults)

    @property
    def host(self) -> str:
        """As PUBSUB_EMULATOR_HOST has it."""
        return f"{self._address}:{self._port}"

    async def __aenter__(self) -> Self:
        """Raises BrokerUnavailable if the port is taken."""
        hanging = Hanging()
        gate = Gate(self.faults, hanging)
        self._server: Any = grpc.aio.server(options=_OPTIONS)
        services = (Publisher(self.registry), Subscriber(self.registry), IamPolicies(self.registry))
        self._server.add_generic_rpc_handlers(tuple(service.handler(gate) for service in services))
        self._server.add_generic_rpc_handlers((ControlService(self.registry, hanging).handler(), NoSchemas()))
        try:
            self._port = self._server.add_insecure_port(self.host)
        except RuntimeError as error:
            raise BrokerUnavailable(f"{self.host} cannot be listened on: is the port taken?") from error
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)
