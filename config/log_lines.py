"""How the control plane's processes write their log. Django names the path of whatever was refused, and some
of ours let somebody in: those are the links of mails, of which nothing but the kind is written."""

from __future__ import annotations

import logging
import re
from typing import Final

# Whatever follows, also where a slash too many or none stands behind it.
_LINKS: Final = re.compile(
    r"(/+(?:invitations|accounts/+(?:confirm-email|address|password/+reset/+key))/+)[^/\n]+", re.IGNORECASE
)


class Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _LINKS.sub(r"\1…", super().format(record))
