"""Logs as one JSON object per line on standard output. What is logged is chosen so as to hold no secret."""

import asyncio
import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

_log: Final = logging.getLogger(__name__)


class _Lines(logging.Formatter):
    """The members of `extra={"about": {...}}` become members of the line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "about", {})
        if record.exc_info and record.exc_info[0]:
            # The place, but not the exception's message or the values around it: those may be a client's.
            line["exception"] = record.exc_info[0].__name__
            line["place"] = _place(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False)


def _place(traceback: TracebackType | None) -> str:
    place = ""
    while traceback is not None:
        place = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def tell_of_failures(loop: asyncio.AbstractEventLoop) -> None:
    """Log an exception that nobody caught, by its kind and place only. The loop's own handler would write out
    what failed: the values a callback was given, and the exception's message."""
    loop.set_exception_handler(lambda _, context: _failed(context))


def _failed(context: Mapping[str, object]) -> None:
    failure = context.get("exception")
    told = (type(failure), failure, failure.__traceback__) if isinstance(failure, BaseException) else None
    # Without an exception it is the loop's own message, which holds nothing that came from outside.
    message = "something failed that nobody waited for" if told else str(context.get("message", ""))
    _log.error(message, exc_info=told)


def log_to_stdout(level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Lines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
