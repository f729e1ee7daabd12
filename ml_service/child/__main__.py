"""The child process: `python -m ml_service.child <file descriptor of its pipe> <process id of its parent>`.

Its main thread runs the model; a second one listens to the parent. What the model prints goes where the worker's own
output goes, and never into the pipe.
"""

import logging
import os
import socket
import sys

from ml_service.child.batch import DeviceLost
from ml_service.child.lifeline import DEVICE_LOST, die_before_parent, die_with_parent, leave_signals_to_parent
from ml_service.child.loading import load_model
from ml_service.child.messages import LastWords, Load
from ml_service.child.pipe import Pipe, Work
from ml_service.child.torch_runtime import TorchRuntime

logger = logging.getLogger(__name__)

LOG_LINE = "%(asctime)s [%(levelname)s] %(name)s (%(process)d): %(message)s"


def main() -> None:
    descriptor, parent = map(int, sys.argv[1:3])
    die_with_parent(parent)
    die_before_parent()
    leave_signals_to_parent()
    logging.basicConfig(level=logging.INFO, format=LOG_LINE)
    pipe = Pipe(socket.socket(fileno=descriptor))
    load = pipe.receive()
    if not isinstance(load, Load):
        return
    runner = load_model(load, TorchRuntime(), pipe.send)
    if runner is None:
        return
    while isinstance(work := pipe.receive(), Work):
        try:
            runner.run(work.batch, work.cancelled)
        except DeviceLost as error:
            logger.exception("the device is lost")
            pipe.send(LastWords(str(error)))
            # Not an orderly exit: what it would tear down hangs on the very device.
            os._exit(DEVICE_LOST)


if __name__ == "__main__":
    main()
