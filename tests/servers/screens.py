"""What the tests of the servers' pages share."""

from __future__ import annotations

from django.test import Client

from policies.services import publish_policy
from servers.models import Tool
from tests.cast import Acme, Cast, inside


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def many_tools(acme: Acme, cast: Cast, count: int) -> None:
    with inside(cast.alice):
        Tool.objects.bulk_create(
            Tool(
                organization_id=cast.alice.organization_id,
                server=acme.server,
                name=f"tool_{number}",
                tool_class="Read",
                digest=f"{number:064x}",
            )
            for number in range(count)
        )


def reach(acme: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        publish_policy(cast.alice, acme.policy)
