"""Deliveries as clients get them."""

from collections.abc import Iterable
from typing import Any

from deploy.local.standin.message import Delivery
from deploy.local.standin.policy import Policy


def fill(response: Any, deliveries: Iterable[Delivery], policy: Policy) -> None:
    """Adds them to its `received_messages`. Attempts are told only where dead letters make them count."""
    counted = bool(policy.dead_letter_topic)
    add = response.received_messages.add
    for ack_id, message, attempt in deliveries:
        add(ack_id=ack_id, delivery_attempt=attempt if counted else 0).message.MergeFromString(message.wire)
