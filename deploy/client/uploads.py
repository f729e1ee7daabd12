"""Files for inputs: inside the input while they are small, uploaded otherwise."""

import base64

from deploy.client.answers import Upload
from deploy.client.effects import Request, Steps, do
from deploy.client.interpretation import read_as
from deploy.client.retrying import Policy, Repeat, call
from deploy.client.sources import UNKNOWN, File, Source, source_of

# Base64 makes a third more of it; several of them still fit into the megabyte that an input may have.
INLINE = 128 * 1024


def upload(policy: Policy, file: File, *, content_type: str | None = None) -> Steps[Upload]:
    """Stores a file: a path, bytes, or what is open in binary mode; it is sent piece by piece.

    `.reference` of what comes back stands for it in inputs. Sent again where a transfer breaks off and the file can be read
    again; what the first try may have left is unused, and the server removes it.
    Raises InvalidRequest, ProblemError (`body_too_large`), ConnectionFailed.
    """
    source = yield from do(lambda: source_of(file, content_type))
    return (yield from _upload(policy, source))


def attach(policy: Policy, file: File, *, content_type: str | None = None) -> Steps[dict[str, str]]:
    """What an input says in the place of a file: its content as a data URL up to 128 KiB, else a reference to its upload.

    Raises as `upload`.
    """
    source = yield from do(lambda: source_of(file, content_type))
    if source.size is None or source.size > INLINE:
        return (yield from _upload(policy, source)).reference
    content = yield from do(lambda: b"".join(source.pieces()))
    return {"data": f"data:{source.content_type};base64,{base64.b64encode(content).decode()}"}


def _upload(policy: Policy, source: Source) -> Steps[Upload]:
    headers = {"Content-Type": source.content_type if "/" in source.content_type else UNKNOWN}
    if source.size is not None:
        headers["Content-Length"] = str(source.size)
    request = Request("POST", "/v1/uploads", policy.timeout, headers=headers, body=source)
    repeat = Repeat.ALWAYS if source.repeatable else Repeat.NEVER
    return read_as(Upload, (yield from call(policy, request, repeat)))
