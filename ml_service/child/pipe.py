"""The child's end of the pipe: blocking, written by any thread, read by one."""

import os
import socket
import threading
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from queue import SimpleQueue

from ml_service.child.lifeline import PARENT_GONE, end_copy
from ml_service.child.messages import (
    HEADER,
    Cancel,
    Load,
    RunBatch,
    Said,
    Stop,
    ToChild,
    ToParent,
    pack,
    read_to_child,
)


@dataclass(frozen=True, slots=True)
class Work:
    """A batch, and the items of it that have been asked to stop so far: the set grows while the batch runs."""

    batch: RunBatch
    cancelled: AbstractSet[int]


class Pipe:
    """`receive` gives what the main thread has to do; cancellations take effect while it does it."""

    def __init__(self, end: socket.socket) -> None:
        end.set_inheritable(False)  # a program that the model starts must not hold the pipe open
        self._socket = end
        self._process = os.getpid()
        self._sending = threading.Lock()
        self._inbox: SimpleQueue[Load | Work | Stop] = SimpleQueue()
        threading.Thread(target=self._read, name="pipe", daemon=True).start()

    def receive(self) -> Load | Work | Stop:
        return self._inbox.get()

    def send(self, message: ToParent) -> None:
        """Raises RuntimeError for what a model says in a process that it has forked: two that write would mix their words."""
        if isinstance(message, Said) and os.getpid() != self._process:
            raise RuntimeError(
                "a forked process cannot speak for its model: say it in the one that predict was called in"
            )
        end_copy(self._process)
        frame = pack(message)
        try:
            with self._sending:
                self._socket.sendall(frame)
        except OSError:
            os._exit(PARENT_GONE)

    def _read(self) -> None:
        batch, cancelled = -1, set[int]()
        while True:
            match self._message():
                case RunBatch() as message:
                    batch, cancelled = message.batch, set()
                    self._inbox.put(Work(message, cancelled))
                case Cancel(batch=of, item=item):
                    if of == batch:
                        cancelled.add(item)
                case (Load() | Stop()) as message:
                    self._inbox.put(message)

    def _message(self) -> ToChild:
        return read_to_child(self._exactly(int.from_bytes(self._exactly(HEADER), "big")))

    def _exactly(self, size: int) -> bytearray:
        """The next `size` bytes. Without a parent there is nothing to live for: not even for the batch that runs."""
        data = bytearray(size)
        view = memoryview(data)
        while view:
            try:
                received = self._socket.recv_into(view)
            except OSError:
                received = 0
            if not received:
                os._exit(PARENT_GONE)
            view = view[received:]
        return data
