from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Membership
from accounts.tenancy import Asker
from common.spelt_once import spelt_once
from servers.models import Server, Tool
from tests.cast import Cast, inside
from tests.steps import steps

pytestmark = pytest.mark.django_db


@spelt_once
def named(member: Asker, name: str, before: datetime) -> QuerySet[Server, tuple[UUID, str]]:
    found = Server.objects.visible_to(member).filter(
        name__iexact=name, created_at__lt=before, retired_at=None
    )
    return found.order_by("name").values_list("pk", "name")


def _server(member: Membership, name: str) -> Server:
    with inside(member):
        return Server.objects.create(
            organization_id=member.organization_id, name=name, upstream_url="https://a.example/mcp"
        )


def _named(member: Membership, name: str, before: datetime) -> list[str]:
    with inside(member):
        return [found for _, found in named(member, name, before)]


def test_each_asker_is_told_of_their_own_by_what_they_ask_now(cast: Cast) -> None:
    for member, name in ((cast.alice, "Shop"), (cast.mallory, "shop"), (cast.alice, "100% 'till'")):
        _server(member, name)
    soon = timezone.now() + timedelta(hours=1)
    assert _named(cast.alice, "SHOP", soon) == ["Shop"]
    assert _named(cast.mallory, "SHOP", soon) == ["shop"]
    assert _named(cast.alice, "100% 'till'", soon) == ["100% 'till'"]
    assert _named(cast.mallory, "100% 'till'", soon) == []
    assert _named(cast.alice, "shop", soon - timedelta(days=1)) == []


def test_what_changed_since_is_told(cast: Cast) -> None:
    server, soon = _server(cast.alice, "Shop"), timezone.now() + timedelta(hours=1)
    assert _named(cast.alice, "shop", soon) == ["Shop"]
    server.retired_at = timezone.now()
    with inside(cast.alice):
        server.save()
    assert _named(cast.alice, "shop", soon) == []


def test_the_second_wall_stands_where_the_first_is_left_out(cast: Cast) -> None:
    @spelt_once
    def everybodys(name: str) -> QuerySet[Server, tuple[UUID]]:
        return Server.objects.filter(name=name).order_by().values_list("pk")

    for member in (cast.alice, cast.mallory):
        server = _server(member, "Shop")
        with inside(member):
            assert everybodys("Shop") == [(server.pk,)]


def test_it_is_one_question_that_costs_a_fraction_of_spelling_it(cast: Cast) -> None:
    now = timezone.now()
    named(cast.alice, "shop", now)
    with CaptureQueriesContext(connection) as captured:
        named(cast.alice, "shop", now)
    assert len(captured) == 1
    found = Server.objects.visible_to(cast.alice)
    spelling = steps(
        lambda: list(
            found.filter(name__iexact="shop", created_at__lt=now, retired_at=None)
            .order_by("name")
            .values_list("pk", "name")
        )
    )
    assert steps(lambda: named(cast.alice, "shop", now)) < spelling / 2


def test_what_looks_at_the_clock_by_itself_is_refused(cast: Cast) -> None:
    @spelt_once
    def lately(member: Asker) -> QuerySet[Server, tuple[UUID]]:
        return Server.objects.visible_to(member).filter(created_at__lt=timezone.now()).values_list("pk")

    with pytest.raises(TypeError, match="the moment it was first asked"):
        lately(cast.alice)


def test_what_changes_a_value_or_leaves_it_out_is_refused(cast: Cast) -> None:
    @spelt_once
    def like(member: Asker, part: str) -> QuerySet[Server, tuple[UUID]]:
        return Server.objects.visible_to(member).filter(name__icontains=part).values_list("pk")

    with pytest.raises(TypeError, match="as it is"):
        like(cast.alice, "shop")


def test_columns_that_have_to_be_read_are_refused(cast: Cast) -> None:
    @spelt_once
    def schemas(member: Asker) -> QuerySet[Tool, tuple[Any]]:
        return Tool.objects.visible_to(member).values_list("input_schema")

    with pytest.raises(TypeError, match="not plain"):
        schemas(cast.alice)
