"""Threads that nobody waits for: an executor like any other, but for its end (see test_blobs)."""

import threading

import pytest

from shared.daemon_threads import DaemonThreads


def test_it_answers_and_raises_as_the_call_does() -> None:
    threads = DaemonThreads(2, "test")
    assert threads.submit(divmod, 7, 2).result(5) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 7, 0).result(5)


def test_a_thread_that_is_free_is_used_again() -> None:
    threads = DaemonThreads(8, "test")
    for _ in range(20):
        threads.submit(threading.get_ident).result(5)
        while not threads._idle.acquire(timeout=5):  # it says so after it has answered
            pass
        threads._idle.release()
    assert threads._started == 1


def test_there_are_so_many_and_no_more() -> None:
    """As many as are needed at once; who comes after them waits, and may leave."""
    threads, over = DaemonThreads(2, "test"), threading.Event()
    together = threading.Barrier(3)

    def wait() -> None:
        together.wait(5)
        over.wait()

    hanging = [threads.submit(wait) for _ in range(2)]
    together.wait(5)
    waiting, left = threads.submit(threading.active_count), threads.submit(threading.active_count)
    assert left.cancel()
    assert (threads._started, waiting.done()) == (2, False)
    over.set()
    assert waiting.result(5)
    assert all(one.result(5) is None for one in hanging)


def test_a_thread_that_could_not_be_had_is_tried_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may have no more of them for a while."""
    threads = DaemonThreads(1, "test")

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            threads.submit(divmod, 7, 2)
    assert threads.submit(divmod, 7, 2).result(5) == (3, 1)
