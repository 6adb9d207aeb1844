"""Formats the log lines of the control plane. Django logs the path of every refused request, and some of our
paths let someone in: the links in mails. Of those only the kind is written, never the token."""

from __future__ import annotations

import copy
import logging
import re
from typing import Final

from django.db import InterfaceError, OperationalError

# Everything after the kind of link, also with a slash too many in the path or none at the end.
_LINKS: Final = re.compile(
    r"(/+(?:invitations|accounts/+(?:confirm-email|address|password/+reset/+key))/+)[^/\n]+", re.IGNORECASE
)


class Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _LINKS.sub(r"\1…", super().format(_in_one_line(record)))


def _in_one_line(record: logging.LogRecord) -> logging.LogRecord:
    """What fails because the database, the broker or the disk is away fails again and again, and a traceback
    for each would fill the disk within hours."""
    error = record.exc_info[1] if record.exc_info else None
    if record.name == "celery.beat" and error is not None:
        said = str(error)  # it names the task and the cause; the record itself adds two tracebacks
    elif _database_is_away(error):
        said = f"{record.getMessage()} (the database does not answer; start it or wait for it)"
    else:
        return record
    short = copy.copy(record)
    short.exc_info = short.exc_text = None
    short.msg, short.args = " ".join(said.split()), ()
    return short


def _database_is_away(error: BaseException | None) -> bool:
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    from config.failures import GONE, why_away  # it needs the apps, which are loaded after the logging

    return why_away(error) == GONE
