"""Lists over REST: pages by keyset, orders and filters that the view declares.

A page begins after the last row of the previous page, whatever was added meanwhile. Where it begins is in a
signed cursor: no text that we did not sign reaches a query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar
from urllib.parse import urlencode, urlsplit

from django.core.signing import BadSignature, Signer
from django.db.models import Model, Q, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework import generics
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from common.api_filters import Choice, Filter, InvalidQuery, Number, Text, asked, conditions
from common.api_views import ApiView

if TYPE_CHECKING:
    from rest_framework.views import APIView

CURSOR: Final = "cursor"
LIMIT: Final = "limit"
ORDER: Final = "order"
_OF_PAGES: Final = (CURSOR, LIMIT, ORDER)
_M = TypeVar("_M", bound=Model)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row that a page comes after (or before), by the values of its order's fields."""

    order: str
    before: bool
    values: tuple[Any, ...]


class Keyset(BasePagination):
    """`{results, next, previous}`; `next` and `previous` are whole URLs or null."""

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        assert isinstance(view, ApiList)
        given = asked(request.query_params, page_parameters(view), {one.name for one in view.filters})
        self._request, self._signer = request, _signer(view)
        self._order = given.get(ORDER) or next(iter(view.orders))
        self._fields = view.orders[self._order]
        cursor = self._cursor(given.get(CURSOR))
        limit: int = given.get(LIMIT, view.page_size)
        turned = cursor is not None and cursor.before
        fields = _turned(self._fields) if turned else self._fields
        rows = view.rows_of(queryset, fields, cursor.values if cursor is not None else None, limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        if turned:
            rows.reverse()
        self._next = self._link(rows[-1], before=False) if rows and (more or turned) else None
        behind = more if turned else cursor is not None
        self._previous = self._link(rows[0], before=True) if rows and behind else None
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self._next, "previous": self._previous})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        url = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": url, "previous": url},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [one.parameter() for one in page_parameters(view)]

    def _cursor(self, text: str | None) -> Cursor | None:
        if text is None:
            return None
        try:
            order, before, *values = self._signer.unsign_object(text)
        except (BadSignature, ValueError):
            raise InvalidQuery({CURSOR: "This cursor is not from this list. Start without one."}) from None
        if order != self._order:
            raise InvalidQuery({CURSOR: f"This cursor is for the order {order}. Start without one."})
        return Cursor(order, before, tuple(values))

    def _link(self, row: Any, *, before: bool) -> str:
        values = [_plain(reduce(getattr, field.lstrip("-").split("__"), row)) for field in self._fields]
        cursor = self._signer.sign_object([self._order, before, *values])
        place = urlsplit(self._request.build_absolute_uri())
        kept = [(name, text) for name, texts in self._request.query_params.lists() for text in texts]
        query = [(name, text) for name, text in kept if name != CURSOR]
        return place._replace(query=urlencode([*query, (CURSOR, cursor)])).geturl()


class Declared(BaseFilterBackend):
    def filter_queryset(self, request: Request, queryset: Any, view: APIView) -> Any:
        assert isinstance(view, ApiList)
        return queryset.filter(*conditions(request, view.filters, _OF_PAGES))

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [one.parameter() for one in view.filters]


class ApiList(ApiView, generics.ListAPIView[_M]):
    # No docstring: the schema would give it to every list that has none of its own.
    # `orders`: the fields of each order by its name; the last field is unique and none may be null; the first
    # order is the default. `columns`: for long lists, all that is shown of a row; no models are made then.

    pagination_class = Keyset
    filter_backends = [Declared]
    filters: ClassVar[tuple[Filter, ...]] = ()
    orders: ClassVar[Mapping[str, tuple[str, ...]]]
    page_size: ClassVar[int] = 50
    largest_page: ClassVar[int] = 200
    columns: ClassVar[tuple[str, ...]] = ()

    def rows_of(
        self, found: QuerySet[_M], fields: tuple[str, ...], behind: tuple[Any, ...] | None, most: int
    ) -> list[Any]:
        # In the order of these fields, from after the row that has these values.
        place = found if behind is None else found.filter(_beyond(fields, behind))
        place = place.order_by(*fields)[:most]
        if not self.columns:
            return list(place)
        read = dict.fromkeys((*self.columns, *(field.lstrip("-") for field in fields)))
        return list(place.values_list(*read, named=True))


def page_parameters(view: ApiList[Any]) -> tuple[Filter, ...]:
    first, *_ = view.orders
    return (
        Filter(CURSOR, Text(), "Where the page begins; taken from `next` or `previous`."),
        Filter(LIMIT, Number(1, view.largest_page), f"Rows per page; {view.page_size} by default."),
        Filter(ORDER, Choice(tuple(view.orders)), f"{first} by default; - is descending."),
    )


def described(*filters: Filter) -> list[OpenApiParameter]:
    """For views that are not lists."""
    parameters = [one.parameter() for one in filters]
    return [
        OpenApiParameter(one["name"], one["schema"], description=one.get("description", ""))
        for one in parameters
    ]


def both_ways(*first: str, **others: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Orders by these fields, each descending and ascending; equal rows by their id."""
    found: dict[str, tuple[str, ...]] = {}
    for name, fields in {**{name: (name,) for name in first}, **others}.items():
        down = tuple(f"-{field}" for field in fields)
        found |= {f"-{name}": (*down, "-id"), name: (*fields, "id")}
    return found


def _signer(view: ApiList[Any]) -> Signer:
    return Signer(salt=f"cursor:{type(view).__name__}")


def _beyond(fields: tuple[str, ...], values: tuple[Any, ...]) -> Q:
    """Rows that come after these values. An index is searched by the outermost comparison alone."""
    field, *rest = fields
    name = field.lstrip("-")
    strictly = Q(**{f"{name}__{'lt' if field.startswith('-') else 'gt'}": values[0]})
    if not rest:
        return strictly
    at_least = Q(**{f"{name}__{'lte' if field.startswith('-') else 'gte'}": values[0]})
    return at_least & (strictly | _beyond(tuple(rest), values[1:]))


def _turned(fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(field[1:] if field.startswith("-") else f"-{field}" for field in fields)


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
