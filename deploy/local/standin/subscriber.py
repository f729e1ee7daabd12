"""google.pubsub.v1.Subscriber."""

from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types

from deploy.local.standin import limits
from deploy.local.standin.errors import FailedAckIds, InvalidArgument
from deploy.local.standin.message import Consumer
from deploy.local.standin.names import check_project
from deploy.local.standin.paging import page
from deploy.local.standin.received import fill
from deploy.local.standin.registry import Registry
from deploy.local.standin.rpc import Context, Gate, Method, service
from deploy.local.standin.settings import changed, complete_subscription
from deploy.local.standin.streaming import INVALID, StreamingPull
from deploy.local.standin.topic import Subscribed

NAME = "google.pubsub.v1.Subscriber"

_FIXED = (  # what cannot be changed of a subscription
    "name",
    "topic",
    "enable_message_ordering",
    "filter",
    "detached",
    "state",
    "topic_message_retention_duration",
)
_LONGEST_PULL = 90.0  # seconds
# An answer must be there before its caller has gone. gRPC rounds what is left to the caller, up by as much as 1 %.
_MARGIN, _MARGIN_SHARE = 0.02, 0.02  # seconds, and of the caller's deadline
_MOST_A_PULL = 1_000


def _pb(name: str) -> Any:
    return getattr(types, name).pb()


PullResponse, SubscriptionSettings, SnapshotSettings = _pb("PullResponse"), _pb("Subscription"), _pb("Snapshot")
ListSubscriptionsResponse, ListSnapshotsResponse = _pb("ListSubscriptionsResponse"), _pb("ListSnapshotsResponse")
SeekResponse = _pb("SeekResponse")


class Subscriber:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def handler(self, gate: Gate) -> Any:
        streaming = StreamingPull(self._registry, gate)
        streams = _pb("StreamingPullRequest"), _pb("StreamingPullResponse")
        methods = (
            Method("CreateSubscription", SubscriptionSettings, SubscriptionSettings, self.create),
            Method("GetSubscription", _pb("GetSubscriptionRequest"), SubscriptionSettings, self.get),
            Method("UpdateSubscription", _pb("UpdateSubscriptionRequest"), SubscriptionSettings, self.update),
            Method("ListSubscriptions", _pb("ListSubscriptionsRequest"), ListSubscriptionsResponse, self.list),
            Method("DeleteSubscription", _pb("DeleteSubscriptionRequest"), Empty, self.delete),
            Method("ModifyAckDeadline", _pb("ModifyAckDeadlineRequest"), Empty, self.extend),
            Method("Acknowledge", _pb("AcknowledgeRequest"), Empty, self.acknowledge),
            Method("Pull", _pb("PullRequest"), PullResponse, self.pull),
            Method("StreamingPull", *streams, streaming.answer, streaming=True),
            Method("ModifyPushConfig", _pb("ModifyPushConfigRequest"), Empty, self.modify_push),
            Method("GetSnapshot", _pb("GetSnapshotRequest"), SnapshotSettings, self.get_snapshot),
            Method("ListSnapshots", _pb("ListSnapshotsRequest"), ListSnapshotsResponse, self.list_snapshots),
            Method("CreateSnapshot", _pb("CreateSnapshotRequest"), SnapshotSettings, self.create_snapshot),
            Method("UpdateSnapshot", _pb("UpdateSnapshotRequest"), SnapshotSettings, self.update_snapshot),
            Method("DeleteSnapshot", _pb("DeleteSnapshotRequest"), Empty, self.delete_snapshot),
            Method("Seek", _pb("SeekRequest"), SeekResponse, self.seek),
        )
        return service(NAME, methods, gate)

    async def create(self, request: Any, _context: Context) -> Any:
        return self._registry.create_subscription(request).settings

    async def get(self, request: Any, _context: Context) -> Any:
        return self._registry.subscription(request.subscription).settings

    async def update(self, request: Any, _context: Context) -> Any:
        wanted = request.subscription
        subscribed = self._registry.subscription(wanted.name)
        new = changed(subscribed.settings, wanted, request.update_mask, _FIXED, complete_subscription)
        self._registry.apply(subscribed, new)
        return new

    async def list(self, request: Any, _context: Context) -> Any:
        prefix = check_project(request.project) + "/"
        there = self._registry.subscriptions
        names, token = page((name for name in there if name.startswith(prefix)), request.page_size, request.page_token)
        return ListSubscriptionsResponse(subscriptions=[there[name].settings for name in names], next_page_token=token)

    async def delete(self, request: Any, _context: Context) -> Any:
        self._registry.delete_subscription(request.subscription)
        return Empty()

    async def modify_push(self, request: Any, _context: Context) -> Any:
        """It is kept, and nothing more: nothing is ever pushed."""
        self._registry.subscription(request.subscription).settings.push_config.CopyFrom(request.push_config)
        return Empty()

    async def extend(self, request: Any, _context: Context) -> Any:
        subscribed = self._registry.subscription(request.subscription)
        limits.check_ack_ids(request)
        limits.check_extension(request.ack_deadline_seconds)
        subscribed.queue.check(request.ack_ids)
        failed = subscribed.queue.extend(request.ack_ids, request.ack_deadline_seconds)
        subscribed.desk.serve()
        _check_all_worked(subscribed, failed)
        return Empty()

    async def acknowledge(self, request: Any, _context: Context) -> Any:
        subscribed = self._registry.subscription(request.subscription)
        limits.check_ack_ids(request)
        subscribed.queue.check(request.ack_ids)
        failed = subscribed.queue.acknowledge(request.ack_ids)
        subscribed.desk.serve()  # the next one of an ordering key
        _check_all_worked(subscribed, failed)
        return Empty()

    async def pull(self, request: Any, context: Context) -> Any:
        subscribed = self._registry.subscription(request.subscription)
        subscribed.check_attached()
        if request.max_messages < 1:
            raise InvalidArgument(f"Invalid max_messages given ({request.max_messages}): it must be positive.")
        most = min(request.max_messages, _MOST_A_PULL)
        patience = 0.0 if request.return_immediately else _patience(context)
        deliveries = await subscribed.desk.wait(Consumer(), most, patience=patience)
        response = PullResponse()
        fill(response, deliveries, subscribed.queue.policy)
        return response

    async def get_snapshot(self, request: Any, _context: Context) -> Any:
        return self._registry.snapshot(request.snapshot).settings

    async def list_snapshots(self, request: Any, _context: Context) -> Any:
        prefix = check_project(request.project) + "/"
        there = self._registry.snapshots()
        names, token = page((name for name in there if name.startswith(prefix)), request.page_size, request.page_token)
        return ListSnapshotsResponse(snapshots=[there[name].settings for name in names], next_page_token=token)

    async def create_snapshot(self, request: Any, _context: Context) -> Any:
        settings = self._registry.create_snapshot(request.name, request.subscription).settings
        settings.labels.update(request.labels)
        return settings

    async def update_snapshot(self, request: Any, _context: Context) -> Any:
        snapshot = self._registry.snapshot(request.snapshot.name)
        wanted, mask = request.snapshot, request.update_mask
        snapshot.settings = changed(snapshot.settings, wanted, mask, ("name", "topic"), lambda settings: settings)
        snapshot.expires_at = snapshot.settings.expire_time.ToNanoseconds() / 1e9
        return snapshot.settings

    async def delete_snapshot(self, request: Any, _context: Context) -> Any:
        self._registry.snapshot(request.snapshot)
        self._registry.delete_snapshot(request.snapshot)
        return Empty()

    async def seek(self, request: Any, _context: Context) -> Any:
        subscribed = self._registry.subscription(request.subscription)
        target = request.WhichOneof("target")
        if target == "snapshot":
            self._registry.seek_to_snapshot(subscribed, self._registry.snapshot(request.snapshot))
        elif target == "time":
            self._registry.seek_to_time(subscribed, request.time.ToNanoseconds() / 1e9)
        else:
            raise InvalidArgument("A seek needs a time or a snapshot.")
        return SeekResponse()


def _patience(context: Context) -> float:
    """Seconds that this pull may wait."""
    left: float | None = context.time_remaining()
    if left is None:
        return _LONGEST_PULL
    return min(max(left * (1.0 - _MARGIN_SHARE) - _MARGIN, 0.0), _LONGEST_PULL)


def _check_all_worked(subscribed: Subscribed, failed: list[str]) -> None:
    if failed and subscribed.queue.policy.exactly_once:
        raise FailedAckIds(dict.fromkeys(failed, INVALID))
