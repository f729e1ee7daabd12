"""Settings of topics and subscriptions: defaults, limits, and changes by field mask."""

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import types

from deploy.local.standin import limits
from deploy.local.standin.errors import InvalidArgument, OutOfRange, Unsupported
from deploy.local.standin.filters import parse
from deploy.local.standin.names import TOPICS, check_name
from deploy.local.standin.policy import Backoff, Policy

Topic: Any = types.Topic.pb()
Subscription: Any = types.Subscription.pb()

DAY = 86_400
_RETENTION = range(600, 31 * DAY + 1)  # seconds
_ATTEMPTS = range(5, 101)
_LONGEST_BACKOFF = 600  # seconds
_LABELS = 64
_ACTIVE = 1


def complete_topic(given: Any) -> Any:
    """Checked, with its defaults. Raises InvalidArgument."""
    topic = Topic()
    topic.CopyFrom(given)
    _refuse_unsupported(topic, "schema_settings", "ingestion_data_source_settings")
    _check_labels(topic)
    if topic.HasField("message_retention_duration"):
        _check_retention(topic.message_retention_duration)
    topic.state = _ACTIVE
    return topic


def complete_subscription(given: Any) -> Any:
    """Checked, with its defaults. Raises InvalidArgument."""
    made = Subscription()
    made.CopyFrom(given)
    _refuse_unsupported(made, "bigquery_config", "cloud_storage_config", "bigtable_config")
    made.ack_deadline_seconds = made.ack_deadline_seconds or limits.ACK_DEADLINE[0]
    limits.check_ack_deadline(made.ack_deadline_seconds)
    _check_labels(made)
    _complete_retention(made)
    _complete_dead_letters(made)
    _complete_retries(made)
    made.push_config.SetInParent()
    made.state = _ACTIVE
    parse(made.filter)
    return made


def policy_of(settings: Any) -> Policy:
    """Of complete settings."""
    retries, dead = settings.retry_policy, settings.dead_letter_policy
    return Policy(
        ack_deadline=settings.ack_deadline_seconds,
        ordered=settings.enable_message_ordering,
        exactly_once=settings.enable_exactly_once_delivery,
        backoff=Backoff(_seconds(retries.minimum_backoff), _seconds(retries.maximum_backoff))
        if settings.HasField("retry_policy")
        else None,
        dead_letter_topic=dead.dead_letter_topic,
        max_delivery_attempts=dead.max_delivery_attempts,
        retention=_seconds(settings.message_retention_duration),
        retain_acked=settings.retain_acked_messages,
        accepts=parse(settings.filter),
    )


def changed(there: Any, wanted: Any, mask: Any, fixed: Sequence[str], complete: Callable[[Any], Any]) -> Any:
    """What is there, with the fields of the mask as wanted. Raises InvalidArgument."""
    if not mask.paths:
        raise InvalidArgument("The update_mask must be set, and must contain a non-empty paths list.")
    for path in mask.paths:
        if path.partition(".")[0] in fixed:
            raise InvalidArgument(f"Invalid update_mask provided: {path!r} cannot be changed.")
    only = FieldMask(paths=mask.paths)
    if not only.IsValidForDescriptor(there.DESCRIPTOR):
        raise InvalidArgument(f"Invalid update_mask provided: {', '.join(mask.paths)}.")
    new = type(there)()
    new.CopyFrom(there)
    only.MergeMessage(wanted, new, replace_message_field=True, replace_repeated_field=True)
    return complete(new)


def _refuse_unsupported(resource: Any, *fields: str) -> None:
    """What would silently not happen is refused."""
    for field, _value in resource.ListFields():
        if field.name in {*fields, "message_transforms"}:
            raise Unsupported(f"The stand-in has no {field.name}.")


def _check_labels(resource: Any) -> None:
    if len(resource.labels) > _LABELS:
        raise InvalidArgument(f"There are {len(resource.labels)} labels, and at most {_LABELS} are allowed.")


def _complete_retention(made: Any) -> None:
    if not made.HasField("message_retention_duration"):
        made.message_retention_duration.seconds = 7 * DAY
    _check_retention(made.message_retention_duration)
    if not made.HasField("expiration_policy"):
        made.expiration_policy.ttl.seconds = 31 * DAY
    policy = made.expiration_policy
    if policy.HasField("ttl") and _seconds(policy.ttl) < DAY:
        raise InvalidArgument("Invalid expiration_policy: its ttl must be at least one day.")


def _check_retention(duration: Any) -> None:
    if not _RETENTION[0] <= _seconds(duration) <= _RETENTION[-1]:
        raise InvalidArgument(
            f"Invalid message_retention_duration given ({_seconds(duration):g} s): it must be from 10 minutes to 31 days."
        )


def _complete_dead_letters(made: Any) -> None:
    if not made.HasField("dead_letter_policy"):
        return
    policy = made.dead_letter_policy
    if not policy.dead_letter_topic:
        made.ClearField("dead_letter_policy")
        return
    check_name(policy.dead_letter_topic, TOPICS)
    policy.max_delivery_attempts = policy.max_delivery_attempts or _ATTEMPTS[0]
    if policy.max_delivery_attempts not in _ATTEMPTS:
        raise OutOfRange(
            f"Invalid max_delivery_attempts given ({policy.max_delivery_attempts}): it must be from 5 to 100."
        )


def _complete_retries(made: Any) -> None:
    if not made.HasField("retry_policy"):
        return
    policy = made.retry_policy
    if not policy.HasField("minimum_backoff"):
        policy.minimum_backoff.seconds = 10
    if not policy.HasField("maximum_backoff"):
        policy.maximum_backoff.seconds = _LONGEST_BACKOFF
    least, most = _seconds(policy.minimum_backoff), _seconds(policy.maximum_backoff)
    if not 0 <= least <= most <= _LONGEST_BACKOFF:
        raise InvalidArgument(
            f"Invalid retry_policy given (from {least:g} to {most:g} s): 0 <= minimum <= maximum <= {_LONGEST_BACKOFF} s."
        )


def _seconds(duration: Any) -> float:
    return float(duration.seconds + duration.nanos / 1e9)
