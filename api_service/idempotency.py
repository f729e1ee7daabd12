"""The `Idempotency-Key` header, and what makes two bodies the same.

A body is known by the SHA-256 of its JSON with sorted keys: spaces, the order of members and how characters are escaped
make no difference. A member that occurs twice counts as its last, as everywhere here. Numbers count as they are read:
0.1 and 0.10 are the same; 1 and 1.0 are not, since a model can tell them apart.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from api_service.errors import DoesNotFit, MalformedBody, MalformedKey
from shared.errors import Fault

# Bare, or a string of RFC 8941; 1 to 255 characters that can be seen, and spaces between them.
PATTERN = r'^([!#-~]([ -~]{0,253}[!-~])?|"([ !#-\[\]-~]|\\["\\]){1,255}")$'
_KEY = re.compile(PATTERN.replace("$", r"\Z"))
_ESCAPED = re.compile(r"\\(.)")

_canonical = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Key:
    """What a submission is known by when it comes again. name: its route and the client's key. digest: of its body."""

    name: str
    digest: str


def parse_key(values: Sequence[str]) -> str:
    """values: of all `Idempotency-Key` headers, at least one. Raises MalformedKey."""
    keys = {_unquoted(value) for value in values}
    if len(keys) > 1:
        raise MalformedKey("There are several Idempotency-Key headers, and they differ.")
    return keys.pop()


def digest_of(body: bytes) -> str:
    """Raises MalformedBody where it is not JSON, and DoesNotFit for a number that nothing can hold."""
    return hashlib.sha256(canonical(body)).hexdigest()


def digest_of_list(name: str, items: Iterable[bytes]) -> str:
    """Of an object with one member, a list; its items are canonical already."""
    whole = hashlib.sha256(b'{"' + name.encode() + b'":[')
    for number, item in enumerate(items):
        whole.update(b"," * (number > 0) + item)
    whole.update(b"]}")
    return whole.hexdigest()


def canonical(document: bytes) -> bytes:
    """The same JSON in the one way of writing it. Raises as digest_of."""
    try:
        return _canonical(msgspec.json.decode(document))
    except msgspec.ValidationError as error:
        raise DoesNotFit("The body holds a number that is out of range.", [Fault("", str(error))]) from None
    except RecursionError:
        raise MalformedBody("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise MalformedBody("The body is not UTF-8.") from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"{error}.") from None


def _unquoted(value: str) -> str:
    if not _KEY.match(value):
        raise MalformedKey(
            "An Idempotency-Key has 1 to 255 characters of printable ASCII, bare or as a quoted string (RFC 8941)."
        )
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
