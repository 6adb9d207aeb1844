"""The way in from the catalogue: sign up, register, and the policy of the page waits in the editor."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Membership
from catalog.ingest import Report
from catalog.models import CatalogServer
from policies.models import Policy
from servers.models import Server, ToolScan
from tests.cast import Acme, Cast, inside
from tests.catalog.index import index
from tests.roles import as_worker

__all__ = ["index"]
FOR = "awslabs-iam-mcp-server/create_access_key"
PATH = f"/policies/arrive/?for={FOR}"
SignedIn = Callable[[Membership], Client]


def test_the_way_in_climbs_the_ladder(index: Report, cast: Cast, acme: Acme, signed_in: SignedIn) -> None:
    for name in ("bob",):
        assert signed_in(cast.everyone()[name]).get(PATH).status_code == 403
    assert Client().get(PATH).headers["Location"].startswith("/accounts/login/")
    assert signed_in(cast.alice).put(PATH).status_code == 405
    for junk in ("", "nothing", f"{FOR}x", "\x00", "a" * 5000):
        assert signed_in(cast.alice).get("/policies/arrive/", {"for": junk}).status_code == 404
    assert signed_in(cast.mallory).get(PATH).status_code == 200, "the catalogue is everybody's"
    theirs = {"for": FOR, "server": acme.server.public_id}
    assert signed_in(cast.mallory).post("/policies/arrive/", theirs).status_code == 404


def test_the_button_of_a_tool_leads_through_sign_up_to_its_policy_in_the_editor(index: Report) -> None:
    client = Client()
    page = client.get("/tools/awslabs-iam-mcp-server/create_access_key/").content.decode()
    way = page.split('href="/accounts/signup/?next=')[1].split('"')[0]
    assert unquote(way) == PATH
    new = {"email": "newcomer@example.com", "password1": "a few words make a good one", "next": unquote(way)}
    answer = client.post("/accounts/signup/", new)
    assert (answer.status_code, answer.headers["Location"]) == (302, PATH)
    form = client.get(PATH).content.decode()
    assert 'value="AWS IAM MCP Server"' in form
    sent = {"for": FOR, "name": "AWS IAM", "upstream_url": "https://iam.example.com/mcp", "auth_kind": "none"}
    answer = client.post("/policies/arrive/", sent)
    assert answer.status_code == 302
    editor = client.get(answer.headers["Location"])
    assert editor.status_code == 200
    assert "create_access_key_rate" in editor.content.decode()


def test_the_editor_waits_for_the_tools_of_a_server_that_was_just_registered(
    index: Report, cast: Cast, signed_in: SignedIn
) -> None:
    client = signed_in(cast.alice)
    sent = {"for": FOR, "name": "AWS IAM", "upstream_url": "https://iam.example.com/mcp", "auth_kind": "none"}
    path = client.post("/policies/arrive/", sent).headers["Location"]
    with inside(cast.alice):
        scan = ToolScan.objects.select_related("server").get(server__name="AWS IAM")
    waits = client.get(path).content.decode()
    asks = reverse("servers:progress", args=[scan.server.public_id]) + "?beside"
    assert f'hx-get="{asks}"' in waits and "are being listed; the effect" in waits
    assert "no tools that we know of" not in waits
    with inside(cast.alice):
        ToolScan.objects.update(state="failed", message="Nobody answers.", hint="Start it.")
    over = client.get(asks)
    assert "HX-Refresh" not in over.headers, "nobody is thrown out of what they write"
    assert "Nobody answers." in over.content.decode()
    with inside(cast.alice):
        ToolScan.objects.update(state="done", tools_found=3)
    assert "Show them on this page</a>" in client.get(asks).content.decode()
    with inside(cast.alice):
        ToolScan.objects.update(state="failed")
    failed = client.get(path).content.decode()
    assert f'hx-get="{asks}"' not in failed and "Nobody answers.</b> Start it." in failed


def test_a_server_that_is_a_program_comes_with_the_command_that_gives_it_an_address(
    index: Report, cast: Cast, signed_in: SignedIn
) -> None:
    client = signed_in(cast.alice)
    bridge = "--port 8765 -- \\\n  uvx awslabs.iam-mcp-server"
    tool = "/tools/awslabs-iam-mcp-server/create_access_key/"
    assert bridge in client.get(PATH).content.decode()
    assert bridge in client.get("/servers/register/?known=uvx+awslabs.iam-mcp-server").content.decode()
    assert "nothing to install" not in client.get(tool).content.decode()
    with as_worker():
        CatalogServer.objects.filter(slug="awslabs-iam-mcp-server").update(endpoint="https://iam.example.com")
    assert "mcp-proxy" not in client.get(PATH).content.decode()
    assert "nothing to install" in client.get(tool).content.decode()


def test_a_server_that_answers_over_http_is_not_offered_a_bridge(
    index: Report, cast: Cast, signed_in: SignedIn
) -> None:
    with as_worker():
        CatalogServer.objects.filter(slug="awslabs-iam-mcp-server").update(transports=["streamable-http"])
    page = signed_in(cast.alice).get(PATH).content.decode()
    assert "whoever runs it can tell you its address" in page and "mcp-proxy" not in page
    assert "answers over HTTP" in Client().get(f"/tools/{FOR}/").content.decode()


def test_the_policy_can_be_put_on_a_server_one_has(
    index: Report, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    sent = {"for": "awslabs-iam-mcp-server", "server": acme.server.public_id}
    answer = signed_in(cast.carol).post("/policies/arrive/", sent)
    assert answer.status_code == 302
    with inside(cast.alice):
        policy = Policy.objects.filter(server=acme.server).latest("created_at")
        assert '"Destructive"' in policy.draft
        assert Server.objects.count() == 1


def test_a_server_that_needs_a_header_has_its_name_filled_in(
    index: Report, cast: Cast, signed_in: SignedIn
) -> None:
    with as_worker():
        CatalogServer.objects.filter(slug="awslabs-iam-mcp-server").update(
            endpoint="https://iam.example.com/mcp", headers=["X-Api-Key"]
        )
    form = signed_in(cast.alice).get(PATH).content.decode()
    assert 'value="https://iam.example.com/mcp"' in form
    assert re.search(r'value="headers"[^>]*checked', form)
    assert 'name="header_name_0" value="X-Api-Key"' in form


def test_the_server_one_has_stands_first_by_its_address_or_its_tools(
    index: Report, cast: Cast, acme: Acme, signed_in: SignedIn
) -> None:
    with as_worker():
        CatalogServer.objects.filter(slug="awslabs-iam-mcp-server").update(
            endpoint=f"{acme.server.upstream_url}/"
        )
    page = signed_in(cast.carol).get(PATH).content.decode()
    assert "It has the address the catalogue lists." in page


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        (PATH, PATH),
        ("", "/overview/"),
        ("https://evil.example/policies/arrive/?for=x", "/overview/"),
        ("//evil.example/policies/arrive/?", "/overview/"),
        ("/servers/", "/overview/"),
        ("javascript:/policies/arrive/?", "/overview/"),
    ],
)
def test_going_to_another_organization_leads_back_to_the_way_in_and_nowhere_else(
    index: Report, cast: Cast, signed_in: SignedIn, wanted: str, lands: str
) -> None:
    sent = {"organization": str(cast.alice.organization_id), "next": wanted}
    answer = signed_in(cast.alice).post("/organizations/switch/", sent)
    assert answer.status_code == 302
    assert answer.headers["Location"] in (lands, "/" if lands == "/overview/" else lands)


def test_a_bad_address_is_said_beside_its_field_and_nothing_is_made(
    index: Report, cast: Cast, signed_in: SignedIn
) -> None:
    sent = {"for": FOR, "name": "AWS IAM", "upstream_url": "ftp://x", "auth_kind": "none"}
    assert signed_in(cast.alice).post("/policies/arrive/", sent).status_code == 422
    with inside(cast.alice):
        assert not Policy.objects.exists() and not Server.objects.exists()
