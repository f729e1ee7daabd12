"""Threads for calls that may never return."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DaemonThreads(Executor):
    """A process ends although one of them hangs: it waits for those of a ThreadPoolExecutor, and cannot be told not to.

    most: how many there may be; further calls wait. They are started as they are needed, and stay.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._started = 0

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Raises RuntimeError where there is no thread to be had."""
        if not self._idle.acquire(blocking=False):
            self._start_another()
        future: Future[_T] = Future()
        self._calls.put((future, partial(fn, *args, **kwargs)))
        return future

    def _start_another(self) -> None:
        with self._lock:
            if self._started < self._most:
                threading.Thread(target=self._run, name=f"{self._name}-{self._started + 1}", daemon=True).start()
                self._started += 1

    def _run(self) -> None:
        while True:
            _answer(*self._calls.get())
            self._idle.release()


def in_daemon_thread(call: Callable[[], _T], name: str) -> "Future[_T]":
    """In one of its own, which ends with the call. Raises RuntimeError where there is none to be had."""
    future: Future[_T] = Future()
    threading.Thread(target=_answer, args=(future, call), name=name, daemon=True).start()
    return future


def _answer(future: "Future[Any]", call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return  # given up before its turn
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - whoever waits for it raises it
        future.set_exception(error)
    finally:
        del future, call  # the error's traceback holds this frame: a cycle, with all that was given to the call
