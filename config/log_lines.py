"""Formats the log lines of the control plane. Django logs the path of every refused request, and some of our
paths let someone in: the links in mails. Of those only the kind is written, never the token."""

from __future__ import annotations

import logging
import re
from typing import Final

# Everything after the kind of link, also with a slash too many in the path or none at the end.
_LINKS: Final = re.compile(
    r"(/+(?:invitations|accounts/+(?:confirm-email|address|password/+reset/+key))/+)[^/\n]+", re.IGNORECASE
)


class Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _LINKS.sub(r"\1…", super().format(record))
