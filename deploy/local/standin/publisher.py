"""google.pubsub.v1.Publisher."""

from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types

from deploy.local.standin.limits import check_publish
from deploy.local.standin.names import check_project
from deploy.local.standin.paging import page
from deploy.local.standin.registry import Registry
from deploy.local.standin.rpc import Context, Gate, Method, service
from deploy.local.standin.settings import changed, complete_topic

NAME = "google.pubsub.v1.Publisher"


def _pb(name: str) -> Any:
    return getattr(types, name).pb()


Topic, PublishResponse = _pb("Topic"), _pb("PublishResponse")
ListTopicsResponse, DetachSubscriptionResponse = _pb("ListTopicsResponse"), _pb("DetachSubscriptionResponse")
ListTopicSubscriptionsResponse = _pb("ListTopicSubscriptionsResponse")
ListTopicSnapshotsResponse = _pb("ListTopicSnapshotsResponse")


class Publisher:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def handler(self, gate: Gate) -> Any:
        methods = (
            Method("CreateTopic", Topic, Topic, self.create),
            Method("UpdateTopic", _pb("UpdateTopicRequest"), Topic, self.update),
            Method("Publish", _pb("PublishRequest"), PublishResponse, self.publish),
            Method("GetTopic", _pb("GetTopicRequest"), Topic, self.get),
            Method("ListTopics", _pb("ListTopicsRequest"), ListTopicsResponse, self.list),
            Method(
                "ListTopicSubscriptions",
                _pb("ListTopicSubscriptionsRequest"),
                ListTopicSubscriptionsResponse,
                self.list_subscriptions,
            ),
            Method(
                "ListTopicSnapshots",
                _pb("ListTopicSnapshotsRequest"),
                ListTopicSnapshotsResponse,
                self.list_snapshots,
            ),
            Method("DeleteTopic", _pb("DeleteTopicRequest"), Empty, self.delete),
            Method("DetachSubscription", _pb("DetachSubscriptionRequest"), DetachSubscriptionResponse, self.detach),
        )
        return service(NAME, methods, gate)

    async def create(self, request: Any, _context: Context) -> Any:
        return self._registry.create_topic(request).settings

    async def update(self, request: Any, _context: Context) -> Any:
        topic = self._registry.topic(request.topic.name)
        topic.settings = changed(topic.settings, request.topic, request.update_mask, ("name",), complete_topic)
        return topic.settings

    async def publish(self, request: Any, _context: Context) -> Any:
        topic = self._registry.topic(request.topic)
        check_publish(request)
        return PublishResponse(message_ids=self._registry.publish(topic, request.messages))

    async def get(self, request: Any, _context: Context) -> Any:
        return self._registry.topic(request.topic).settings

    async def list(self, request: Any, _context: Context) -> Any:
        prefix = check_project(request.project) + "/"
        topics = self._registry.topics
        names, token = page((name for name in topics if name.startswith(prefix)), request.page_size, request.page_token)
        return ListTopicsResponse(topics=[topics[name].settings for name in names], next_page_token=token)

    async def list_subscriptions(self, request: Any, _context: Context) -> Any:
        topic = self._registry.topic(request.topic)
        names, token = page(topic.subscriptions, request.page_size, request.page_token)
        return ListTopicSubscriptionsResponse(subscriptions=names, next_page_token=token)

    async def list_snapshots(self, request: Any, _context: Context) -> Any:
        self._registry.snapshots()  # those that have expired go
        topic = self._registry.topic(request.topic)
        names, token = page(topic.snapshots, request.page_size, request.page_token)
        return ListTopicSnapshotsResponse(snapshots=names, next_page_token=token)

    async def delete(self, request: Any, _context: Context) -> Any:
        self._registry.delete_topic(request.topic)
        return Empty()

    async def detach(self, request: Any, _context: Context) -> Any:
        self._registry.detach(request.subscription)
        return DetachSubscriptionResponse()
