"""The language of subscription filters. https://cloud.google.com/pubsub/docs/subscription-message-filter

filter     = term { "AND" term } | term { "OR" term }      (mixed only with parentheses)
term       = ["NOT" | "-"] ( "(" filter ")" | comparison )
comparison = "attributes" ":" key
           | "attributes" "." key ( "=" | "!=" ) string
           | "hasPrefix" "(" "attributes" "." key "," string ")"
"""

import re
from collections.abc import Mapping

from deploy.local.standin.errors import InvalidArgument
from deploy.local.standin.policy import Filter, everything

LONGEST = 256  # characters
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<word>[A-Za-z_][A-Za-z0-9_\-]*)
      | (?P<sign>!=|[()=:.,\-])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")


def parse(text: str) -> Filter:
    """Raises InvalidArgument. An empty text accepts everything."""
    if not text:
        return everything
    if len(text) > LONGEST:
        raise InvalidArgument(f"A filter may have {LONGEST} characters, and this one has {len(text)}.")
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._at = 0

    def _split(self) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        position, end = 0, len(self._text.rstrip())
        while position < end:
            found = _TOKEN.match(self._text, position)
            if found is None:
                raise self._fault(self._text[position:].strip())
            tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            position = found.end()
        return tokens

    def whole(self) -> Filter:
        parsed = self._filter()
        if self._at < len(self._tokens):
            raise self._fault(self._tokens[self._at][1])
        return parsed

    def _filter(self) -> Filter:
        terms = [self._term()]
        joined = self._word_if("AND", "OR")
        word = joined
        while joined:
            if joined != word:
                raise InvalidArgument(f"The filter {self._text!r} mixes AND with OR: use parentheses.")
            terms.append(self._term())
            joined = self._word_if("AND", "OR")
        if word is None:
            return terms[0]
        combine = all if word == "AND" else any
        return lambda attributes: combine(term(attributes) for term in terms)

    def _term(self) -> Filter:
        if self._word_if("NOT") or self._sign_if("-"):
            inner = self._atom()
            return lambda attributes: not inner(attributes)
        return self._atom()

    def _atom(self) -> Filter:
        if self._sign_if("("):
            inner = self._filter()
            self._sign(")")
            return inner
        if self._word_if("hasPrefix"):
            return self._prefix()
        return self._comparison()

    def _prefix(self) -> Filter:
        self._sign("(")
        self._word("attributes")
        self._sign(".")
        key = self._key()
        self._sign(",")
        start = self._string()
        self._sign(")")
        return lambda attributes: key in attributes and attributes[key].startswith(start)

    def _comparison(self) -> Filter:
        self._word("attributes")
        if self._sign_if(":"):
            key = self._key()
            return lambda attributes: key in attributes
        self._sign(".")
        return self._equality(self._key())

    def _equality(self, key: str) -> Filter:
        if self._sign_if("="):
            wanted = self._string()
            return lambda attributes: attributes.get(key) == wanted
        self._sign("!=")
        unwanted = self._string()

        def differs(attributes: Mapping[str, str]) -> bool:
            return key not in attributes or attributes[key] != unwanted

        return differs

    def _key(self) -> str:
        kind, text = self._next()
        if kind == "word":
            return text
        if kind == "string":
            return _unquoted(text)
        raise self._fault(text)

    def _string(self) -> str:
        kind, text = self._next()
        if kind != "string":
            raise self._fault(text)
        return _unquoted(text)

    def _word(self, wanted: str) -> None:
        if self._word_if(wanted) is None:
            raise self._fault(self._next()[1])

    def _sign(self, wanted: str) -> None:
        if not self._sign_if(wanted):
            raise self._fault(self._next()[1])

    def _word_if(self, *wanted: str) -> str | None:
        kind, text = self._peek()
        if kind == "word" and text in wanted:
            self._at += 1
            return text
        return None

    def _sign_if(self, wanted: str) -> bool:
        there = self._peek() == ("sign", wanted)
        self._at += there
        return there

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "its end")

    def _fault(self, found: str) -> InvalidArgument:
        return InvalidArgument(f"Invalid filter {self._text!r}: {found!r} was not expected there.")


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(r"\1", text[1:-1])
