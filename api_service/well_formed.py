"""Whether a body is JSON at all, where a decoder has stopped at the first thing that did not fit."""

import msgspec

from api_service.errors import MalformedBody

_skip = msgspec.json.Decoder(msgspec.Raw).decode


def check_json(body: bytes) -> None:
    """Raises MalformedBody. Nothing is built of what is in it, however much that is."""
    try:
        _skip(body)
        body.decode()  # the decoder skips over texts
    except RecursionError:
        raise MalformedBody("The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise MalformedBody("The body is not UTF-8.") from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"{error}.") from None
