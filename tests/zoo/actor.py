"""Does what each input tells it to: most of what can go wrong inside `predict`."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from ml_service.model import Batching, Model, Payload, Run
from shared.errors import InvalidInput, RetryableError

POLL = threading.Event()  # never set: waits that a cancellation is looked for in between


class Actor(Model):
    name = "actor"
    version = 3
    description = "Does as it is told."
    queue = "stage"
    example: ClassVar[dict[str, Any] | None] = {"do": "echo", "text": "hello"}
    batching = Batching(max_size=32, max_wait=0.02)

    class Input(Payload):
        do: str = "echo"
        text: str = ""
        seconds: float = 0.0

    class Output(Payload):
        text: str
        anything: Any = None

    def predict(self, batch: Sequence[Input], run: Run) -> list[Any]:
        return [getattr(self, item.do)(item, index, run) for index, item in enumerate(batch)]

    def echo(self, item: Input, _index: int, _run: Run) -> Output:
        return self.Output(text=item.text)

    def large(self, item: Input, _index: int, _run: Run) -> Output:
        return self.Output(text="x" * int(item.text))

    def break_down(self, item: Input, _index: int, _run: Run) -> Output:
        raise ValueError(f"cannot stand {item.text}")

    def refuse(self, item: Input, _index: int, _run: Run) -> Output:
        raise InvalidInput(f"too {item.text} for me")

    def postpone(self, _item: Input, _index: int, _run: Run) -> Output:
        raise RetryableError("try tomorrow")

    def exhaust(self, _item: Input, _index: int, _run: Run) -> Output:
        raise MemoryError

    def leave(self, _item: Input, _index: int, _run: Run) -> Output:
        sys.exit(5)

    def not_a_number(self, _item: Input, _index: int, _run: Run) -> Output:
        return self.Output(text="", anything={"scores": [1.0, float("nan")]})

    def another_type(self, _item: Input, _index: int, _run: Run) -> Any:
        return {"text": "a dictionary"}

    def segfault(self, _item: Input, _index: int, _run: Run) -> Output:
        ctypes.string_at(0)
        raise AssertionError

    def die(self, _item: Input, _index: int, _run: Run) -> Output:
        os._exit(3)

    def hang(self, item: Input, index: int, run: Run) -> Output:
        """Until it is cancelled."""
        run.progress(0.0, "hanging", item=index)
        while not run.cancelled(index):
            run.check_cancelled()
            POLL.wait(0.01)
        return self.Output(text=item.text)

    def hang_for_ever(self, _item: Input, index: int, run: Run) -> Output:
        run.progress(0.0, "hanging", item=index)
        POLL.wait()
        raise AssertionError

    def hold_the_gil(self, item: Input, index: int, run: Run) -> Output:
        run.progress(0.0, "holding", item=index)
        ctypes.PyDLL(None).usleep(int(item.seconds * 1_000_000))
        return self.Output(text=item.text)

    def ask(self, item: Input, index: int, run: Run) -> Output:
        run.cancelled(index)
        return self.Output(text=item.text)

    def report(self, item: Input, index: int, run: Run) -> Output:
        for step in range(1001):
            run.progress(step / 1000, f"step {step}", item=index)
        return self.Output(text=item.text)

    def leave_a_process(self, _item: Input, index: int, run: Run) -> Output:
        """One that keeps our end of the pipe open, as a forked data loader does."""
        pipe = int(sys.argv[1])
        left = subprocess.Popen(["sleep", "60"], pass_fds=[pipe])
        run.progress(0.0, str(left.pid), item=index)
        os._exit(4)

    def fork(self, item: Input, index: int, run: Run) -> Any:
        """Has a copy of this process do what `text` says. -> how that ended."""
        if not (copy := os.fork()):
            return getattr(self, item.text)(item, index, run)
        _, status = os.waitpid(copy, 0)
        return self.Output(text=str(os.waitstatus_to_exitcode(status)))

    def hoard(self, item: Input, index: int, run: Run) -> Output:
        """Keeps `text` MiB, for `seconds` or until it is cancelled."""
        self.hoarded = b"\1" * (int(item.text) << 20)
        run.progress(0.0, "hoarding", item=index)
        return self.rest(item, index, run)

    def hoard_twice(self, item: Input, index: int, run: Run) -> Output:
        """Two processes that share what is hoarded, as forked data loaders do."""
        self.hoarded = b"\1" * (int(item.text) << 20)
        if not (loader := os.fork()):
            signal.pause()
        run.progress(0.0, str(loader), item=index)
        return self.rest(item, index, run)

    def hoard_elsewhere(self, item: Input, index: int, run: Run) -> Output:
        """In a process of a session of its own."""
        program = f"import time; hoarded = b'1' * ({item.text} << 20); time.sleep(60)"
        other = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
        run.progress(0.0, str(other.pid), item=index)
        return self.rest(item, index, run)

    def rest(self, item: Input, index: int, run: Run) -> Output:
        until = time.monotonic() + item.seconds
        while time.monotonic() < until and not run.cancelled(index):
            POLL.wait(0.01)
        return self.Output(text=item.text)

    def environment(self, _item: Input, _index: int, _run: Run) -> Output:
        ignored = [name for name in ("SIGINT", "SIGTERM") if signal.getsignal(signal.Signals[name]) == signal.SIG_IGN]
        return self.Output(text="", anything={"torch": "torch" in sys.modules, "ignored": ignored})
