"""No page and no endpoint asks the database once for each row: with 30 of everything as often as with 3.
And a row of a long list is drawn in a few steps.

All from the URL resolver: a new route is counted the day it is born, or fails here for want of an id.
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
# What waits for news, and what is as long as the log.
ENDLESS = {"log/live/", "approvals/live/", "log/export.csv", "log/export.ndjson"}
# Staff alone see reports, and they are no tenant's.
OF_STAFF = {"catalogue/reports/", "catalogue/reports/{report_id}/"}
# A line of Python is a step, and so is a call of what is not Python. Drawn by a template's own way, a row of
# these took twice as many, up to six times.
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
    """The status, and what the database was asked."""
    path = route.path(size.filled.ids)
    size.browser.get(path)  # what is read once for a process is not the page's
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
    """And of how many rows."""
    size.browser.get(path)
    seen: list[bytes] = []
    took = steps(lambda: seen.append(size.browser.get(path).content))
    return took, len(ROW.findall(seen[0]))


def _often(asked: list[str]) -> str:
    """The query that is asked oftenest, as it begins."""
    ((begun, times),) = Counter(one[:300] for one in asked).most_common(1)
    return f"{times} times {begun}"
