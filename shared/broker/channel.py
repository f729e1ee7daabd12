"""The connection to Pub/Sub, or to something that speaks its protocol."""

import asyncio
from dataclasses import dataclass

import google.auth
import grpc
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1.services.publisher import PublisherAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber import SubscriberAsyncClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from shared.errors import BrokerUnavailable

_Options = tuple[tuple[str, int], ...]
_OPTIONS: _Options = (
    # A thousand messages of 10 MB are more than the default of 4 MiB.
    ("grpc.max_receive_message_length", -1),
    # A connection whose other end has silently gone is given up at most 25 s after the last sign of life; without this
    # it takes a quarter of an hour. The ping goes out only while a call waits, so its time must not be a multiple of
    # the calls' 10 s. Servers end a connection that pings more often than they have anything to say
    # ("too_many_pings"), which ours never does: no call waits for 17 s. Of the two time-outs, the first is for the
    # keepalive's own ping and for TCP; another kind of ping may be under way instead, whose default is a minute.
    ("grpc.keepalive_time_ms", 17_000),
    ("grpc.keepalive_timeout_ms", 8_000),
    ("grpc.http2.ping_timeout_ms", 8_000),
    # A broker that is back is found within a second, instead of up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Also the time that one attempt to connect may take, TLS included: not to be as short as those two.
    ("grpc.min_reconnect_backoff_ms", 5_000),
)
# An HTTP proxy for the world is none for the emulator beside us.
_EMULATOR_OPTIONS = (*_OPTIONS, ("grpc.enable_http_proxy", 0))


@dataclass(frozen=True, slots=True)
class Clients:
    """Google's generated clients, and their channels. They belong to the event loop in which they were made."""

    publisher: PublisherAsyncClient
    subscriber: SubscriberAsyncClient
    channels: tuple[grpc.aio.Channel, ...]

    async def close(self, grace: float | None = None) -> None:
        """grace: seconds that calls under way get to end by themselves."""
        await asyncio.gather(*(channel.close(grace) for channel in self.channels))


async def open_clients(emulator_host: str | None, *, fresh: bool = False) -> Clients:
    """Connects at the first call, not here. Raises BrokerUnavailable if there are no credentials for Google's.

    fresh: over connections that are not those of clients opened before.
    """
    own = (("grpc.use_local_subchannel_pool", 1),) if fresh else ()
    return _emulator_clients(emulator_host, own) if emulator_host else await _google_clients(own)


def _emulator_clients(host: str, own: _Options) -> Clients:
    # One channel for each, since each client adds its interceptor to its channel; gRPC shares the connection.
    publisher, subscriber = (grpc.aio.insecure_channel(host, options=(*_EMULATOR_OPTIONS, *own)) for _ in range(2))
    return _clients(publisher, subscriber)


async def _google_clients(own: _Options) -> Clients:
    try:
        # In a thread, because it may ask the metadata server, and wait for it.
        credentials, _ = await asyncio.to_thread(google.auth.default, scopes=PublisherGrpcAsyncIOTransport.AUTH_SCOPES)
    except GoogleAuthError as error:
        raise BrokerUnavailable(
            f"No credentials for Pub/Sub: {error} To use the emulator instead, set PUBSUB_EMULATOR_HOST."
        ) from error
    publisher, subscriber = (
        PublisherGrpcAsyncIOTransport.create_channel(credentials=credentials, options=(*_OPTIONS, *own))
        for _ in range(2)
    )
    return _clients(publisher, subscriber)


def _clients(publisher: grpc.aio.Channel, subscriber: grpc.aio.Channel) -> Clients:
    return Clients(
        PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=publisher)),
        SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=subscriber)),
        (publisher, subscriber),
    )
