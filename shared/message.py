"""The Pub/Sub message: a wake-up that names a job. The row holds everything else.

Data is `{"v": 1, "job_id": "…", "publish_no": 3}` (under 1 kB); attributes are `model`, `task` and W3C `traceparent`.
A reader accepts fields it does not know, so a later release may add some without raising the version.
"""

import json
from dataclasses import dataclass
from uuid import UUID

from shared.errors import UnreadableMessage

VERSION = 1
LARGEST_PUBLISH_NO = 2**31 - 1  # what its column holds: a larger one would be refused there, each time it is delivered


@dataclass(frozen=True, slots=True)
class JobMessage:
    job_id: UUID
    publish_no: int
    model: str
    task: str
    traceparent: str | None = None

    def encode(self) -> tuple[bytes, dict[str, str]]:
        """-> (data, attributes), as Pub/Sub takes them."""
        data = f'{{"v": {VERSION}, "job_id": "{self.job_id}", "publish_no": {self.publish_no}}}'.encode()
        attributes = {"model": self.model, "task": self.task}
        if self.traceparent:
            attributes["traceparent"] = self.traceparent
        return data, attributes

    @classmethod
    def decode(cls, data: bytes, attributes: dict[str, str]) -> "JobMessage":
        """Raises UnreadableMessage with the reason."""
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise UnreadableMessage(f"the data is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise UnreadableMessage("the data is not a JSON object")
        if body.get("v") != VERSION:
            raise UnreadableMessage(f"version {body.get('v')!r} of the message, where {VERSION} is understood")
        publish_no = body.get("publish_no")
        if not isinstance(publish_no, int) or isinstance(publish_no, bool):
            raise UnreadableMessage(f"publish_no {publish_no!r} is not a number")
        if not 0 <= publish_no <= LARGEST_PUBLISH_NO:
            raise UnreadableMessage(f"publish_no {publish_no} is none that was ever given")
        try:
            job_id = UUID(body["job_id"])
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            raise UnreadableMessage(f"job_id {body.get('job_id')!r} is not a UUID") from error
        model, task = attributes.get("model"), attributes.get("task")
        if not model or not task:
            raise UnreadableMessage("the attributes model and task are missing")
        return cls(job_id, publish_no, model, task, attributes.get("traceparent"))
