"""Services without generated servicers: google-cloud-pubsub has the messages, and clients only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from deploy.local.standin.errors import FailedAckIds, Refused
from deploy.local.standin.faults import Faults, Kind

Context = Any  # grpc.aio.ServicerContext[...], which has no types
Answer = Callable[[Any, Context], Awaitable[Any]]

_NAMING = ("topic", "subscription", "snapshot", "name", "resource", "project", "parent")  # fields


class Hanging:
    """Calls that get no answer until `release`, or for so many seconds; 0 is for ever."""

    def __init__(self) -> None:
        self._released = asyncio.Event()

    async def hang(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._released.wait(), seconds or None)

    def release(self) -> None:
        self._released.set()
        self._released = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    request: Any  # protobuf classes
    response: Any
    answer: Answer  # a request and its context in, a response out; for a stream, only the context counts
    streaming: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """What every call passes: faults on the way in, refusals on the way out."""

    faults: Faults
    hanging: Hanging

    async def enter(self, method: str, request: Any) -> None:
        """Raises Refused, or waits, if it was told to."""
        fault = self.faults.call(method, _names(request))
        if fault is None:
            return
        if fault.kind is Kind.HANG:
            await self.hanging.hang(fault.seconds)
        else:
            raise told(fault.status, fault.text)


def service(name: str, methods: Iterable[Method], gate: Gate) -> grpc.GenericRpcHandler:
    handlers = {method.name: _stream(method) if method.streaming else _unary(method, gate) for method in methods}
    return grpc.method_handlers_generic_handler(name, handlers)


def told(status: str, text: str) -> Refused:
    """A refusal with this status."""
    refused = Refused(text)
    refused.status = grpc.StatusCode[status]  # type: ignore[misc]  # of this instance alone
    return refused


def _unary(method: Method, gate: Gate) -> Any:
    async def call(request: Any, context: Context) -> Any:
        try:
            await gate.enter(method.name, request)
            return await method.answer(request, context)
        except Refused as refused:
            await refuse(context, refused)

    return grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=method.request.FromString,
        response_serializer=method.response.SerializeToString,
    )


def _stream(method: Method) -> Any:
    async def call(_requests: AsyncIterator[Any], context: Context) -> None:
        try:
            await method.answer(None, context)
        except Refused as refused:
            await refuse(context, refused)

    return grpc.stream_stream_rpc_method_handler(
        call,
        request_deserializer=method.request.FromString,
        response_serializer=method.response.SerializeToString,
    )


async def refuse(context: Context, refused: Refused) -> None:
    """Ends the call. With the reasons for single ack ids, where clients look for them."""
    details: tuple[tuple[str, bytes], ...] = ()
    if isinstance(refused, FailedAckIds):
        status = Status(code=refused.status.value[0], message=str(refused))
        info = ErrorInfo(reason="EXACTLY_ONCE_ACKID_FAILURE", domain="pubsub.googleapis.com", metadata=refused.reasons)
        status.details.add().Pack(info)
        details = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(refused.status, str(refused), details)


def _names(request: Any) -> list[str]:
    """Of the resources that a request is about."""
    found = [getattr(request, field, "") for field in _NAMING]
    return [one if isinstance(one, str) else getattr(one, "name", "") for one in found if one]
