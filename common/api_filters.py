"""The parameters of a list's URL: declared once, read strictly, described in the schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, assert_never

from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from common.addresses import readable_address
from common.api_strict import MOMENT
from common.errors import InvalidInput
from common.ids import parse_public_id

_FLAGS: Final = {"true": True, "false": False}
LONGEST: Final = 2048


@dataclass(frozen=True, slots=True)
class Id:
    prefix: str


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    longest: int = LONGEST


@dataclass(frozen=True, slots=True)
class Number:
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Moment:
    pass


@dataclass(frozen=True, slots=True)
class Flag:
    pass


@dataclass(frozen=True, slots=True)
class NetworkAddress:
    pass


Kind: TypeAlias = Id | Choice | Text | Number | Moment | Flag | NetworkAddress


@dataclass(frozen=True, slots=True)
class Filter:
    """`lookup`: of the queryset; `by`: if one lookup is not enough. `many`: it may be repeated."""

    name: str
    kind: Kind
    words: str = ""
    lookup: str = ""
    by: Callable[[Any], Q] | None = None
    many: bool = False

    def condition(self, value: Any) -> Q:
        if self.by is not None:
            return self.by(value)
        lookup = self.lookup or self.name
        return Q(**{f"{lookup}__in" if self.many else lookup: value})

    def parameter(self) -> dict[str, Any]:
        """The filter as OpenAPI describes it."""
        one = schema_of(self.kind)
        described = {
            "name": self.name,
            "in": "query",
            "required": False,
            "schema": {"type": "array", "items": one} if self.many else one,
        }
        return described | ({"description": self.words} if self.words else {})


def asked(query: QueryDict, filters: Iterable[Filter], also: Iterable[str] = ()) -> dict[str, Any]:
    """The values asked for, by name. Raises with every parameter that is unknown, repeated or unreadable."""
    known = {one.name: one for one in filters}
    found: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name in query:
        if name in also:
            continue
        if name not in known:
            wrong[name] = _unknown(known.keys() | set(also))
            continue
        try:
            found[name] = _read(known[name], query.getlist(name))
        except ValueError as why:
            wrong[name] = str(why)
    if wrong:
        raise InvalidQuery(wrong)
    return found


class InvalidQuery(InvalidInput):
    """Its fields are parameters of the URL, not of a body."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__(wrong, "The URL asks for something that is not available.")


def conditions(request: Request, filters: tuple[Filter, ...], also: Iterable[str] = ()) -> list[Q]:
    found = asked(request.query_params, filters, also)
    return [one.condition(found[one.name]) for one in filters if one.name in found]


def _read(one: Filter, given: list[str]) -> Any:
    if one.many:
        return [value_of(one.kind, text) for text in given]
    if len(given) > 1:
        raise ValueError("Give it only once.")
    return value_of(one.kind, given[0])


def value_of(kind: Kind, text: str) -> Any:
    """Raises ValueError with the sentence to show."""
    match kind:
        case Id(prefix):
            return _id(prefix, text)
        case Choice(values):
            if text not in values:
                raise ValueError(f"Choose one of {', '.join(values)}.")
            return text
        case Text(longest):
            if not 0 < len(text) <= longest or "\x00" in text:
                raise ValueError(f"Write 1 to {longest} characters, none of them NUL.")
            return text
        case Number(least, most):
            if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
                raise ValueError(f"Write a whole number from {least} to {most}.")
            return int(text)
        case Moment():
            return _moment(text)
        case Flag():
            if text not in _FLAGS:
                raise ValueError("Write true or false.")
            return _FLAGS[text]
        case NetworkAddress():
            return _network_address(text)
        case _:
            assert_never(kind)


def schema_of(kind: Kind) -> dict[str, Any]:
    match kind:
        case Id(prefix):
            return id_schema(prefix)
        case Choice(values):
            return {"type": "string", "enum": list(values)}
        case Text(longest):
            return {"type": "string", "minLength": 1, "maxLength": longest}
        case Number(least, most):
            return {"type": "integer", "minimum": least, "maximum": most}
        case Moment():
            return {"type": "string", "format": "date-time"}
        case Flag():
            return {"type": "boolean"}
        case NetworkAddress():
            return {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
        case _:
            assert_never(kind)


def id_schema(prefix: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"}


def _id(prefix: str, text: str) -> Any:
    try:
        return parse_public_id(prefix, text)
    except ValueError:
        raise ValueError(f"This is not an id of the kind {prefix}_…") from None


def _network_address(text: str) -> str:
    address = readable_address(text)
    if address is None:
        raise ValueError("Write an IPv4 or IPv6 address.")
    return address


def _moment(text: str) -> datetime:
    try:
        # In a URL a bare plus is a space.
        moment = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(MOMENT)
    try:
        # The database refuses an offset larger than any real zone has.
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("This time is out of range.") from None


def _unknown(known: Iterable[str]) -> str:
    names = ", ".join(sorted(known))
    return f"There is no such filter here. There are: {names}." if names else "There are no parameters here."


def token_in_state(state: str) -> Q:
    """For rows that end by `expires_at` or `revoked_at`: revoked, expired, else those that still work."""
    expired = Q(expires_at__isnull=False, expires_at__lte=timezone.now())
    match state:
        case "revoked":
            return Q(revoked_at__isnull=False)
        case "expired":
            return Q(revoked_at=None) & expired
        case _:
            return Q(revoked_at=None) & ~expired
