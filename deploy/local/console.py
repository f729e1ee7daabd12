"""What all parts say, merged into one readable stream."""

import os
import sys
from contextlib import suppress

_COLOURS = (36, 32, 35, 33, 34, 96, 92, 95)  # of ANSI, in the order of first appearance
_WIDTH = 10


class Console:
    """One line at a time, each begun by the name of who says it; in colour on a terminal, unless NO_COLOR is set."""

    def __init__(self) -> None:
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._colours: dict[str, int] = {}

    def say(self, name: str, text: str) -> None:
        """Never fails: that nobody listens any more is no reason to stop working."""
        with suppress(OSError):
            sys.stdout.write(f"{self._prefix(name)} {text}\n")
            sys.stdout.flush()

    def _prefix(self, name: str) -> str:
        plain = f"{name:<{_WIDTH}} |"
        if not self._coloured:
            return plain
        colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
        return f"\x1b[{colour}m{plain}\x1b[0m"
