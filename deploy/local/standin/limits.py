"""How much of everything a request may have. https://cloud.google.com/pubsub/quotas#resource_limits"""

from typing import Any

from deploy.local.standin.errors import InvalidArgument

MESSAGES_A_PUBLISH = 1_000
BYTES_A_PUBLISH = 10_000_000
BYTES_OF_ACK_IDS = 524_288
ATTRIBUTES = 100
KEY_BYTES, VALUE_BYTES = 256, 1_024
ORDERING_KEY_BYTES = 1_024
ACK_DEADLINE = range(10, 601)  # seconds
_CLIENTS = "googclient_"  # what client libraries add, for traces
EXTENSION = range(601)  # seconds; 0 hands back
PAGE = 1_000


def check_publish(request: Any) -> None:
    """Raises InvalidArgument."""
    size = request.ByteSize()
    if size > BYTES_A_PUBLISH:
        raise _too_much("request_size", size, BYTES_A_PUBLISH)
    count = len(request.messages)
    if not count:
        raise InvalidArgument(
            "The value for message_count is too small. You passed 0 in the request, but the minimum value is 1."
        )
    if count > MESSAGES_A_PUBLISH:
        raise _too_much("message_count", count, MESSAGES_A_PUBLISH)
    for message in request.messages:
        _check_message(message)


def _check_message(message: Any) -> None:
    attributes = message.attributes
    if not attributes and not message.data:
        raise InvalidArgument(
            "One or more messages in the publish request is empty. Each message must contain either non-empty data, or "
            "at least one attribute."
        )
    if len(attributes) > ATTRIBUTES:
        raise _too_much("attribute_count", len(attributes), ATTRIBUTES)
    for key, value in attributes.items():
        _check_attribute(key, value)
    if _bytes(message.ordering_key) > ORDERING_KEY_BYTES:
        raise _too_much("ordering_key_size", _bytes(message.ordering_key), ORDERING_KEY_BYTES)


def _check_attribute(key: str, value: str) -> None:
    if not key:
        raise InvalidArgument("The attribute key must not be empty.")
    if key.startswith("goog") and not key.startswith(_CLIENTS):
        raise InvalidArgument(f"The attribute key {key!r} is not allowed: keys that begin with 'goog' are reserved.")
    if _bytes(key) > KEY_BYTES:
        raise _too_much("attribute_key_size", _bytes(key), KEY_BYTES)
    if _bytes(value) > VALUE_BYTES:
        raise _too_much("attribute_value_size", _bytes(value), VALUE_BYTES)


def check_ack_ids(request: Any) -> None:
    """Raises InvalidArgument."""
    if not request.ack_ids:
        raise InvalidArgument("No ack ids specified.")
    size = sum(map(len, request.ack_ids))
    if size > BYTES_OF_ACK_IDS:
        raise _too_much("request_size", size, BYTES_OF_ACK_IDS)


def check_extension(seconds: int) -> None:
    """Raises InvalidArgument."""
    if seconds not in EXTENSION:
        raise InvalidArgument(
            f"Invalid ack deadline given (deadline={seconds}): it must be from 0 to {EXTENSION[-1]} seconds."
        )


def check_ack_deadline(seconds: int) -> None:
    """Raises InvalidArgument."""
    if seconds not in ACK_DEADLINE:
        least, most = ACK_DEADLINE[0], ACK_DEADLINE[-1]
        raise InvalidArgument(
            f"Invalid ack deadline given (deadline={seconds}): it must be from {least} to {most} seconds."
        )


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _too_much(what: str, found: int, most: int) -> InvalidArgument:
    return InvalidArgument(
        f"The value for {what} is too large. You passed {found} in the request, but the maximum value is {most}."
    )
