"""`python -m api_service.uploads.document_check`: checks one document that is an upload. A question in, an answer out.

In a process of its own, because a hundred megabytes of JSON hold on to the interpreter for seconds, and can take many
times their size in memory: nobody else shall wait for it, or die of it.
"""

import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from api_service.errors import MalformedBody
from api_service.schema_check import Checked, Key, SchemaCheck
from shared.blobs import CALL_TIMEOUT, Blobs
from shared.errors import BlobMissing, BlobsUnavailable, Fault
from shared.uploads import MAX_REFERENCES


class Question(msgspec.Struct, frozen=True):
    """size: bytes of the blob. memory: bytes of addresses that this process may have."""

    key: Key
    model_schema: Any
    blob_url: str
    blob_key: str
    size: int
    memory: int


class Answer(msgspec.Struct, frozen=True):
    """unavailable: why the blob store did not answer."""

    faults: list[Fault] = []
    references: dict[str, str] = {}
    missing: bool = False
    unavailable: str | None = None


def answer_to(question: Question) -> Answer:
    try:
        content = Blobs(question.blob_url).load(question.blob_key, question.size, CALL_TIMEOUT)
        checked = SchemaCheck().check(question.key, question.model_schema, content)
    except BlobMissing:
        return Answer(missing=True)
    except BlobsUnavailable as error:
        return Answer(unavailable=str(error))
    except MalformedBody as error:
        checked = not_json(error)
    if len(checked.references) > 100 * MAX_REFERENCES:  # too many to be told, whatever they are
        return Answer([Fault("", f"An input may refer to {MAX_REFERENCES} uploads.")])
    return Answer(checked.faults, dict(checked.references))


def not_json(error: MalformedBody) -> Checked:
    return Checked([Fault("/upload", f"The upload is no JSON document: {error}")])


def main() -> None:
    with suppress(OSError):  # only Linux has it: where memory ends, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    resource.setrlimit(resource.RLIMIT_AS, (question.memory, question.memory))
    sys.stdout.buffer.write(msgspec.json.encode(answer_to(question)))


if __name__ == "__main__":
    main()
