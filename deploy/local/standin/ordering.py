"""Messages of one ordering key, in order."""

from collections import deque

from deploy.local.standin.message import Consumer, Entry, State


class Lane:
    """First those on their way, then those that wait. An acknowledged one stays until all before it are: if one of
    these has to be delivered again, so have all that came after it, acknowledged or not, as at Google.
    """

    __slots__ = ("holder", "key", "leased", "out", "resting", "waiting")

    def __init__(self, key: str) -> None:
        self.key = key
        self.out: deque[Entry] = deque()
        self.waiting: deque[Entry] = deque()
        self.leased = 0
        self.holder: Consumer | None = None  # whoever has one of them gets the next ones, too, and nobody else
        self.resting = False

    @property
    def empty(self) -> bool:
        return not self.out and not self.waiting

    def open_to(self, consumer: Consumer) -> bool:
        return bool(self.waiting) and not self.resting and (self.holder is None or self.holder is consumer)

    def lease(self, consumer: Consumer) -> Entry:
        """The next one is on its way."""
        entry = self.waiting.popleft()
        self.out.append(entry)
        self.holder = consumer
        self.leased += 1
        self.trim()
        return entry

    def released(self) -> None:
        """One is not leased any more."""
        self.leased -= 1
        if not self.leased:
            self.holder = None

    def trim(self) -> None:
        """Lets go of those that are gone and have nothing before them that could make them come back."""
        while self.out and self.out[0].state is State.GONE:
            self.out.popleft()
        while self.waiting and self.waiting[0].state is State.GONE:
            self.waiting.popleft()

    def rewind(self, entry: Entry) -> list[Entry]:
        """This one and all that came after it wait again. Returns those that had been on their way, in order."""
        back: list[Entry] = []
        while not back or back[-1] is not entry:
            back.append(self.out.pop())
        self.waiting.extendleft(back)
        return back[::-1]
