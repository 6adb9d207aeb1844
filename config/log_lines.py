"""Formats the log lines of the control plane. Django logs the path of every refused request, and some of our
paths let someone in: the links in mails. Of those only the kind is written, never the token."""

from __future__ import annotations

import copy
import logging
import re
from typing import Final

from django.apps import apps
from django.db import InterfaceError, InternalError, OperationalError

# Everything after the kind of link, also with a slash too many in the path or none at the end.
_LINKS: Final = re.compile(
    r"(/+(?:invitations|accounts/+(?:confirm-email|address|password/+reset/+key))/+)[^/\n]+", re.IGNORECASE
)
# PostgreSQL's codes for a broken connection, and for a server that stops or starts.
_NO_ANSWER: Final = ("08", "57P")


class Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _LINKS.sub(r"\1…", super().format(_in_one_line(record)))


def _in_one_line(record: logging.LogRecord) -> logging.LogRecord:
    """What fails because the database, the broker or the disk is away fails again and again, and a traceback
    for each would fill the disk within hours."""
    error = record.exc_info[1] if record.exc_info else None
    if _is_not_queued(record, error):
        said = str(error)  # it names the task and the cause; the record itself adds two tracebacks
    elif why := _why_away(error):
        said = f"{record.getMessage()} ({why})"
    else:
        return record
    short = copy.copy(record)
    short.exc_info = short.exc_text = None
    short.msg, short.args = " ".join(said.split()), ()
    return short


def _is_not_queued(record: logging.LogRecord, error: BaseException | None) -> bool:
    if record.name != "celery.beat":
        return False
    from celery.beat import SchedulingError  # whoever logs there has loaded it; most processes never do

    return isinstance(error, SchedulingError)


def _why_away(error: BaseException | None) -> str | None:
    """None: it is something else. Of the internal errors, one is a database that takes no changes for now."""
    if not isinstance(error, OperationalError | InterfaceError | InternalError) or not apps.ready:
        return None
    from config.failures import GONE, why_away  # it needs the apps, which are loaded after the logging

    if why_away(error) != GONE:
        return None
    cause = error.__cause__ or error
    code: str | None = getattr(cause, "sqlstate", None)
    if code is None or code.startswith(_NO_ANSWER):
        return f"{type(cause).__name__}: the database does not answer; start it or wait for it"
    said, _, _ = str(error).partition("\n")
    return f"{type(cause).__name__}: the database says: {said}"
