"""No page or endpoint queries the database once per row: 30 of everything take as many queries as 3.
And a row of a long list is drawn in a few steps.

The routes come from the URL resolver: a new one is counted as soon as it exists, or fails here for want of an
id.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership
from tests.load.rows import Filled, Sizes, fill
from tests.roles import as_owner
from tests.routes import Route, routes
from tests.steps import steps

FEW = Sizes(3, 9, 3, 3, 4, decisions=12, days=2, answered=2, waiting=2, others=3)
MANY = Sizes(30, 900, 30, 30, 30, decisions=300, days=2, answered=20, waiting=10, others=30)
# Streams that wait for news, and exports as long as the log.
ENDLESS = {"log/live/", "approvals/live/", "log/export.csv", "log/export.ndjson"}
# Only staff see these, and they belong to no tenant; those of the admin are counted in test_admin.
OF_STAFF = {route.template for route in routes() if route.template.startswith("admin/")} | {
    "catalogue/messages/",
    "catalogue/messages/{message_id}/",
    "catalogue/reports/",
    "catalogue/reports/{report_id}/",
}
# The most steps for one row. A step is a line of Python, or a call of a function that is not Python. Drawn in
# the template engine's usual way, such a row took two to six times as many.
CHEAP_ROWS = {
    "/servers/": 900,
    "/servers/everything/": 600,
    "/policies/": 1200,
    "/grants/": 1250,
    "/settings/members/": 900,
    "/approvals/": 3500,
    "/approvals/history/": 1500,
}
ROW = re.compile(rb'<tr>|<article class="panel appr"')
READ = [route for route in routes() if not route.is_public and route.template not in ENDLESS | OF_STAFF]


@dataclass(frozen=True, slots=True)
class Size:
    filled: Filled
    browser: Client


@pytest.fixture
def sizes(db: None) -> tuple[Size, Size]:
    with as_owner():
        return _of(fill("Few", FEW, 1)), _of(fill("Many", MANY, 1))


def _of(filled: Filled) -> Size:
    browser = Client()
    owner = Membership.objects.select_related("user").get(pk=filled.members["owner"])
    browser.force_login(owner.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return Size(filled, browser)


def counted(size: Size, route: Route) -> tuple[int, list[str]]:
    """Return the status and the queries that were made."""
    path = route.path(size.filled.ids)
    size.browser.get(path)  # what is read once per process does not count
    with CaptureQueriesContext(connection) as captured:
        answer = size.browser.get(path)
    return answer.status_code, [query["sql"] for query in captured.captured_queries]


def test_every_parameter_is_filled_in(sizes: tuple[Size, Size]) -> None:
    assert {name for route in READ for name in route.names} <= set(sizes[0].filled.ids)


def test_thirty_of_everything_ask_no_more_than_three(sizes: tuple[Size, Size]) -> None:
    few, many = sizes
    more: dict[str, str] = {}
    for route in READ:
        (status, least), (also, asked) = counted(few, route), counted(many, route)
        assert also == status, route.template
        if len(asked) > len(least):
            more[route.template] = f"{len(least)} -> {len(asked)}: {_often(asked)}"
    assert more == {}


@pytest.mark.parametrize("path", CHEAP_ROWS)
def test_a_row_of_a_list_costs_a_few_steps(sizes: tuple[Size, Size], path: str) -> None:
    (few, rows), (also, more) = (_steps(size, path) for size in sizes)
    assert more - rows >= 6
    assert (also - few) / (more - rows) <= CHEAP_ROWS[path]


def _steps(size: Size, path: str) -> tuple[int, int]:
    """Return the steps that a page takes, and how many rows it has."""
    size.browser.get(path)
    seen: list[bytes] = []
    took = steps(lambda: seen.append(size.browser.get(path).content))
    return took, len(ROW.findall(seen[0]))


def _often(asked: list[str]) -> str:
    """The beginning of the most frequent query, and how often it was made."""
    ((begun, times),) = Counter(one[:300] for one in asked).most_common(1)
    return f"{times} times {begun}"
