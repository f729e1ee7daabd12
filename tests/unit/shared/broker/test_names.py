import pytest

from shared.broker.names import InvalidQueueName, Names


def test_a_queue_is_named_after_itself_and_its_prefix() -> None:
    names = Names("project", "staging-").of("echo")
    assert names.topic == "projects/project/topics/staging-echo"
    assert names.subscription == "projects/project/subscriptions/staging-echo"
    assert names.dead_topic == "projects/project/topics/staging-echo-dead"
    assert names.dead_subscription == "projects/project/subscriptions/staging-echo-dead"


@pytest.mark.parametrize("queue", ["abc", "a" * 250, "Text-embedding.v2_~+%"])
def test_what_pubsub_takes_is_allowed(queue: str) -> None:
    Names("project").of(queue)


@pytest.mark.parametrize(
    ("queue", "reason"),
    [
        ("", "0 characters"),
        ("ab", "has 2 characters, where 3 to 250 are allowed"),
        ("a" * 251, "251 characters"),
        ("1abc", "start with a letter"),
        ("a/b", "letters, digits"),
        ("café", "letters, digits"),
        ("echo\n", "letters, digits"),
        ("Google", "goog"),
        ("echo-dead", "dead-letter"),
    ],
)
def test_another_name_is_refused_with_the_reason(queue: str, reason: str) -> None:
    with pytest.raises(InvalidQueueName, match=reason):
        Names("project").of(queue)


def test_the_prefix_counts() -> None:
    Names("project", "p-").of("x")
    with pytest.raises(InvalidQueueName, match="251"):
        Names("project", "p-").of("a" * 249)
