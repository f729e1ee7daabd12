"""Structured logs: one event a line, with the ids it is about."""

import logging
import sys
from contextlib import suppress
from typing import Any

import structlog
from structlog.dev import plain_traceback  # the default one shows local variables, and with them inputs and passwords

from shared.settings import LogSettings


class _NeverRaising(structlog.WriteLogger):
    """A line that cannot be written (a full disk, a reader that is gone, a closed file) is lost, and nothing else with it.

    Lines are written between a step and the next one, also where an error is dealt with: raised there, it would end that.
    """

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _logger_to_stderr(*_: Any) -> _NeverRaising:
    return _NeverRaising(sys.stderr)


def configure_logs(settings: LogSettings) -> None:
    """Call once, in a composition root. What libraries log through `logging` at WARNING or above comes out alike.

    Logging never raises because of where it goes.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if settings.log_format == "json":
        last: list[structlog.typing.Processor] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ]
    else:
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain_traceback)]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        logger_factory=_logger_to_stderr,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(
        handlers=[handler], level=max(logging.WARNING, logging.getLevelName(settings.log_level)), force=True
    )
    # It tells with a traceback each time what our own lines say in one: that the database does not answer.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
