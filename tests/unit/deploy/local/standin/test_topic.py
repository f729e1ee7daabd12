from google.pubsub_v1.types import Topic as Settings

from deploy.local.standin.message import Message
from deploy.local.standin.topic import Topic


def topic(retention: int | None) -> Topic:
    settings = Settings.pb()(name="projects/p/topics/abc")
    if retention is not None:
        settings.message_retention_duration.seconds = retention
    return Topic(settings)


def keep(topic: Topic, *times: float) -> None:
    for time in times:
        topic.keep(Message(str(int(time)), b"", "", time))


def test_what_a_topic_retains_is_there_until_its_time_is_over() -> None:
    retaining = topic(600)
    keep(retaining, 1_000, 1_500)
    assert [message.id for message in retaining.retained(1_600)] == ["1000", "1500"]
    assert [message.id for message in retaining.retained(1_601)] == ["1500"]


def test_what_is_over_goes_when_something_new_comes() -> None:
    """A topic that nobody seeks in would grow without end."""
    retaining = topic(600)
    keep(retaining, 1_000, 2_000)
    assert len(retaining._log) == 1


def test_without_retention_nothing_is_kept() -> None:
    forgetful = topic(None)
    keep(forgetful, 1_000)
    assert forgetful.retained(1_000) == []
