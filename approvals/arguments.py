"""The arguments of waiting calls: sealed at rest, opened for those who may answer, erased after the end."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec
from django.conf import settings
from django.utils import timezone

from approvals.models import Approval
from common.sealing import Keyring, SealingError

PURPOSE: Final = "approval-arguments"
KEPT_AFTER_THE_END = timedelta(days=7)
AT_ONCE: Final = 1_000
_LONGEST_LINE: Final = 200
_SHORT_LINE: Final = 80
_BREAKS: Final = re.compile(r"\n *")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as shown to a person. `kind`: `text`, or `json` for everything whose spelling matters."""

    name: str
    value: str
    kind: str
    why: str = ""

    @property
    def is_text_of_json(self) -> bool:
        """True for a text that contains a JSON object or list. The page says so, as it looks like one."""
        return self.kind == "text" and self.value[:1] in ("{", "[") and _is_json(self.value)

    @property
    def head(self) -> str:
        """The first line; of JSON, where line breaks are only layout, the beginning joined into one line."""
        begins = self.value[:_LONGEST_LINE]
        return _BREAKS.sub(" ", begins) if self.kind == "json" else begins.split("\n", 1)[0]

    @property
    def is_long(self) -> bool:
        return len(self.value) > _LONGEST_LINE or "\n" in self.value


def seal(approval: Approval, arguments_json: str) -> str:
    return _keys().seal(arguments_json.encode(), **bound(approval))


def read(approval: Approval) -> str | None:
    """Return the JSON text exactly as it was judged, or None if it was erased or its key is gone."""
    if not approval.sealed:
        return None
    try:
        return _keys().open(approval.sealed, **bound(approval)).decode()
    except SealingError as problem:
        logger.error("the arguments of approval %s do not open: %s", approval.pk, problem)
        return None


def members_of(arguments_json: str, why: dict[str, str]) -> list[Argument]:
    """Return the arguments in order, numbers as spelt. `why`: by name, what about it asked for a person."""
    try:
        members = msgspec.json.decode(arguments_json, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return [Argument("", arguments_json, "json")]
    return [_argument(name, bytes(raw), why.get(name, "")) for name, raw in members.items()]


def erase_old() -> int:
    """Erase arguments when their time is over. The digest stays: it only says that two calls were equal."""
    before = timezone.now() - KEPT_AFTER_THE_END
    old = Approval.objects.filter(ended_at__lt=before).exclude(sealed="").order_by("ended_at")
    chosen = list(old.values_list("pk", flat=True)[:AT_ONCE])
    return Approval.objects.filter(pk__in=chosen).update(sealed="") if chosen else 0


def _argument(name: str, raw: bytes, why: str) -> Argument:
    if raw[:1] == b'"':
        text = msgspec.json.decode(raw, type=str)
        return Argument(name, raw.decode() if _misleads(text) else text, "text", why)
    if raw[:1] in (b"{", b"["):
        line = msgspec.json.format(raw, indent=0).decode()
        fits = len(line) <= _SHORT_LINE
        return Argument(name, line if fits else msgspec.json.format(raw, indent=2).decode(), "json", why)
    return Argument(name, raw.decode(), "json", why)


def _misleads(text: str) -> bool:
    """Return whether the text without quotes would look like a number, a boolean, null or nothing at all."""
    return text != text.strip() or not text or (_is_json(text) and text[0] not in "{[")


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return False
    return True


def _keys() -> Keyring:
    """Use separate keys: the process that serves the gateways must not be able to open anything else."""
    return Keyring.parse(settings.ARGUMENT_KEYS)


def bound(approval: Approval) -> dict[str, str]:
    return {"organization": str(approval.organization_id), "subject": str(approval.pk), "purpose": PURPOSE}
