"""The screens of servers: who may open which, what a bad form says, and how little the database is asked."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from accounts.models import AuditEvent
from catalog.models import CatalogServer
from common.ids import new_uuid
from policies.services import create_policy, issue_grant, publish_policy
from servers.models import Server, ServerCredential, Tool, ToolScan
from servers.services import change_server, register_server, retire_server
from tests.cast import POLICY, Acme, Cast, confirm, inside
from tests.ladder import Door, SignedIn, climb, queries_of
from tests.roles import as_worker
from tests.servers.screens import many_tools, page, reach

REGISTER = {"name": "GitHub", "upstream_url": "https://mcp.example.com/mcp", "auth_kind": "none"}
NOT_ADMINS = ("bob", "carol")
MARKUP = "<script>alert(1)</script>\u202e"


@pytest.fixture
def at(acme: Acme) -> str:
    return f"/servers/{acme.server.public_id}/"


# ---- who may
@pytest.mark.parametrize(
    "door",
    [
        Door(""),
        Door("scan/", "post", good=302, barred=NOT_ADMINS),
        Door("scan/progress/"),
        Door("retire/", "post", good=302, barred=NOT_ADMINS),
    ],
    ids=lambda door: door.path or "detail",
)
def test_a_servers_addresses_let_in_who_may(
    door: Door, at: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        ToolScan.objects.create(organization_id=cast.alice.organization_id, server=acme.server)
    climb(Door(at + door.path, door.method, door.data, door.good, door.barred), cast, signed_in)


def test_a_tool_is_shown_to_its_organization_only(
    at: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    climb(Door(f"{at}tools/{_tool(acme, cast).pk}/"), cast, signed_in)
    assert signed_in(cast.alice).get(f"{at}tools/{new_uuid()}/").status_code == 404


@pytest.mark.parametrize("path", ["/servers/register/", "connection/"])
def test_only_who_manages_servers_registers_and_changes(
    path: str, at: str, cast: Cast, signed_in: SignedIn, client: Client
) -> None:
    path = path if path.startswith("/") else at + path
    for barred in (cast.bob, cast.carol):
        for answer in (signed_in(barred).get(path), signed_in(barred).post(path, REGISTER)):
            assert answer.status_code == 403
            assert "needs the admin role" in answer.content.decode()
    assert client.get(path).status_code == 302
    assert signed_in(cast.alice).put(path).status_code == 405
    if path != "/servers/register/":
        assert signed_in(cast.mallory).post(path, REGISTER).status_code == 404


def test_a_stranger_sees_the_own_empty_lists(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    for path in ("/servers/", "/servers/everything/"):
        assert "AWS IAM" not in page(signed_in(cast.mallory), path)
        assert signed_in(cast.mallory).post(path).status_code == 405


@pytest.mark.parametrize("who", ["bob", "carol", "dave", "alice"])
def test_what_stands_behind_the_question_mark_of_a_url_is_on_no_page_but_the_one_to_change_it(
    who: str, at: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    member = getattr(cast, who)
    with inside(cast.alice):
        url = "https://mcp.example.com/mcp?key=canary-of-a-query"
        change_server(cast.alice, acme.server, upstream_url=url)
    browser = signed_in(member)
    for path in (
        "/servers/",
        at,
        "/servers/everything/",
        "/policies/",
        "/policies/new/",
        "/grants/",
        "/overview/",
    ):
        shown = browser.get(path).content.decode()
        assert "canary-of-a-query" not in shown
    assert "https://mcp.example.com/mcp?…" in page(browser, "/servers/")
    assert "belongs in a header, which is sealed" in page(browser, at)
    changing = browser.get(f"{at}connection/")
    assert ("canary-of-a-query" in changing.content.decode()) == (who not in NOT_ADMINS)


# ---- what a form says
def test_registering_starts_a_scan_and_shows_it_beside_the_form(cast: Cast, signed_in: SignedIn) -> None:
    answer = signed_in(cast.alice).post("/servers/register/", REGISTER)
    assert answer.status_code == 302
    with inside(cast.alice):
        server = Server.objects.get(name="GitHub")
        assert server.scans.count() == 1
    assert answer.headers["Location"] == f"/servers/{server.public_id}/connection/"
    shown = page(signed_in(cast.alice), answer.headers["Location"])
    assert "<title>Connecting GitHub ·" in shown and "waiting for its turn" in shown
    assert 'value="https://mcp.example.com/mcp"' in shown and "hx-select=" in shown
    assert "waiting for its turn" in page(signed_in(cast.bob), f"/servers/{server.public_id}/")


def test_a_scan_that_failed_is_mended_in_the_form_beside_it(
    at: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    alice = signed_in(cast.alice)
    with inside(cast.alice):
        failed = _a_scan(acme, cast, "failed", message="It answered 401.", hint="Choose Headers.")
    shown = page(alice, f"{at}connection/")
    assert "<title>AWS IAM is not connected ·" in shown and "It answered 401." in shown
    given = {"auth_kind": "headers", "header_name_0": "X-Key", "header_value_0": "v"}
    answer = alice.post(f"{at}connection/", {**REGISTER, "name": "AWS IAM", **given})
    assert answer.status_code == 302 and answer.headers["Location"] == f"{at}connection/"
    with inside(cast.alice):
        assert acme.server.scans.exclude(pk=failed.pk).get().state == "waiting"
        assert ServerCredential.objects.get(server=acme.server).header_names == ["X-Key"]


def test_a_new_name_alone_does_not_connect_again(
    at: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        _a_scan(acme, cast, "done")
        Server.objects.filter(pk=acme.server.pk).update(status=Server.Status.READY)
    named = {"name": "Renamed", "upstream_url": acme.server.upstream_url, "auth_kind": "none"}
    answer = signed_in(cast.alice).post(f"{at}connection/", named)
    assert answer.status_code == 302 and answer.headers["Location"] == at
    with inside(cast.alice):
        assert acme.server.scans.count() == 1


@pytest.mark.parametrize("before", ["done", ""])
def test_a_scan_under_way_is_stopped(
    before: str, at: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        if before:
            _a_scan(acme, cast, before)
        going = _a_scan(acme, cast, "running")
    climb(Door(f"{at}scan/stop/", "post", good=302, barred=NOT_ADMINS), cast, signed_in)
    with inside(cast.alice):
        going.refresh_from_db()
        acme.server.refresh_from_db()
        assert (going.state, going.code) == ("failed", "stopped")
        assert acme.server.status == ("ready" if before else "failing")
    signed_in(cast.alice).post(f"{at}scan/stop/")  # a second click
    with inside(cast.alice):
        said = AuditEvent.objects.filter(verb="server.scan_stopped").count()
        assert said == 1


def _a_scan(acme: Acme, cast: Cast, state: str, **options: str) -> ToolScan:
    return ToolScan.objects.create(
        organization_id=cast.alice.organization_id, server=acme.server, state=state, **options
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"upstream_url": "mcp.example.com"}, "starting with https://"),
        ({"upstream_url": ""}, "Server URL: fill this in."),
        ({"name": "   "}, "Name: fill this in."),
        ({"name": "AWS IAM"}, "There is already a server named AWS IAM"),
        ({"auth_kind": "headers"}, "Give at least one header"),
        ({"auth_kind": "headers", "header_name_0": "Authorization"}, "The value of Authorization must be"),
        ({"auth_kind": "headers", "header_name_0": "Host", "header_value_0": "x"}, "set by the gateway"),
        ({"auth_kind": "mtls"}, "Select a valid choice"),
    ],
)
def test_a_bad_form_says_what_would_be_right_and_keeps_what_was_typed(
    changed: dict[str, str], said: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    typed = {**REGISTER, **changed}
    answer = signed_in(cast.alice).post("/servers/register/", typed)
    shown = unescape(answer.content.decode())
    assert answer.status_code == 422
    assert said in shown and "<title>Error:" in shown
    assert f'value="{typed["upstream_url"]}"' in shown or not typed["upstream_url"]


@pytest.mark.parametrize(
    ("asked", "name", "url"),
    [
        ("https://mcp.example.com/mcp/", "Example", "https://mcp.example.com/mcp/"),
        ("https://mcp.example.com/mcp?key=canary", "Example", "https://mcp.example.com/mcp?key=canary"),
        ("npx -y @example/mcp", "Example", "https://mcp.example.com/mcp"),
        ("https://elsewhere.example/mcp", "", "https://elsewhere.example/mcp"),
        ("npx -y @example/other", "", ""),
        ("\x00<b>", "", ""),
    ],
)
def test_what_the_catalogue_knows_is_filled_in(
    asked: str, name: str, url: str, cast: Cast, signed_in: SignedIn
) -> None:
    with as_worker():
        CatalogServer.objects.create(
            slug="example",
            title="Example",
            package="npm:@example/mcp",
            endpoint="https://mcp.example.com/mcp",
        )
    alice = signed_in(cast.alice)
    answer = alice.post("/servers/register/", {"known": asked})
    form = answer.context["form"]
    assert answer.status_code == 200
    assert (form["name"].value() or "", form["upstream_url"].value() or "") == (name, url)
    shown = answer.content.decode()
    assert ("Filled in from the catalogue" in shown) == bool(name)
    below = alice.post("/servers/register/known/", {"upstream_url": asked}).content.decode()
    assert ("The catalogue knows this address" in below) == bool(name)


def test_only_who_may_register_asks_what_the_catalogue_knows(cast: Cast, signed_in: SignedIn) -> None:
    climb(Door("/servers/register/known/", "post", barred=NOT_ADMINS, stranger=200), cast, signed_in)


def test_a_server_without_a_policy_says_what_we_would_begin_with(
    at: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    assert "We suggest" not in page(signed_in(cast.bob), at)
    with inside(cast.alice):
        server = register_server(cast.alice, "bare", "https://mcp.example.com/mcp")
        for name, tool_class in (("drop", "Destructive"), ("put", "Write")):
            Tool.objects.create(
                organization_id=cast.alice.organization_id,
                server=server,
                name=name,
                digest="1" * 64,
                tool_class=tool_class,
            )
    shown = page(signed_in(cast.bob), f"/servers/{server.public_id}/")
    assert "We suggest" in shown and "Approval" in shown and "30/min" in shown


def test_a_credential_is_never_sent_back(at: str, acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    alice = signed_in(cast.alice)
    secret = {"auth_kind": "headers", "header_name_0": "X-Key", "header_value_0": "very-secret-value"}
    wrong = alice.post("/servers/register/", {**REGISTER, **secret, "upstream_url": "no"})
    assert wrong.status_code == 422
    assert "X-Key" in wrong.content.decode() and "very-secret-value" not in wrong.content.decode()
    kept = {"name": "AWS IAM", "upstream_url": acme.server.upstream_url, **secret}
    assert alice.post(f"{at}connection/", kept).status_code == 302
    for path in (at, f"{at}connection/"):
        assert "very-secret-value" not in page(alice, path)
    assert "X-Key" in page(alice, at)


def test_changing_keeps_the_credential_unless_told_otherwise(
    at: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    alice = signed_in(cast.alice)
    given = {"auth_kind": "headers", "header_name_0": "X-Key", "header_value_0": "v"}
    url = {"name": "Renamed", "upstream_url": acme.server.upstream_url}
    alice.post(f"{at}connection/", {**url, **given})
    alice.post(f"{at}connection/", {**url, "auth_kind": "keep"})
    with inside(cast.alice):
        assert ServerCredential.objects.get(server=acme.server).header_names == ["X-Key"]
    alice.post(f"{at}connection/", {**url, "auth_kind": "none"})
    with inside(cast.alice):
        assert not ServerCredential.objects.filter(server=acme.server).exists()


# ---- what is shown
def test_the_list_says_how_many_and_which_cannot_be_reached(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        away = register_server(cast.alice, "Reporting", "https://away.example.com/mcp")
        Server.objects.filter(pk=away.pk).update(status=Server.Status.FAILING)
    shown = page(signed_in(cast.bob), "/servers/")
    assert "2 servers, 1 not reachable" in shown
    assert "Register a server" not in shown, "Bob may not, so he is not offered it"


def test_a_retired_server_offers_nothing_to_do(at: str, acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        retire_server(cast.alice, acme.server)
    shown = page(signed_in(cast.alice), at)
    assert "Retired." in shown
    assert "Scan again" not in shown and "Retire AWS IAM" not in shown
    assert signed_in(cast.alice).post(f"{at}scan/").status_code == 409


def test_the_scan_is_asked_for_until_it_is_over(at: str, acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        scan = ToolScan.objects.create(organization_id=cast.alice.organization_id, server=acme.server)
    bob = signed_in(cast.bob)
    running = bob.get(f"{at}scan/progress/")
    assert "hx-get" in running.content.decode() and "HX-Refresh" not in running.headers
    with inside(cast.alice):
        ToolScan.objects.filter(pk=scan.pk).update(
            state="failed", message="It answered 401.", hint="Add one."
        )
    over = bob.get(f"{at}scan/progress/")
    assert over.headers["HX-Refresh"] == "true" and "It answered 401." in over.content.decode()


def test_a_strangers_words_stay_words(at: str, acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    with inside(cast.alice):
        tool = Tool.objects.create(
            organization_id=cast.alice.organization_id,
            server=acme.server,
            name=MARKUP,
            title=MARKUP,
            description=MARKUP,
            input_schema={"properties": {MARKUP: {"description": MARKUP}}},
            evidence=[{"sentence": MARKUP}],
            digest="0" * 64,
        )
    for path in (at, f"{at}tools/{tool.pk}/", "/servers/everything/"):
        shown = page(signed_in(cast.bob), path)
        assert "<script>alert" not in shown
        assert "\u202e" not in shown
        assert "&lt;script&gt;alert(1)" in shown


# ---- how often the database is asked
def test_more_rows_are_not_more_questions(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    reach(acme, cast)
    bob = signed_in(cast.bob)
    paths = ("/servers/", "/servers/everything/", f"/servers/{acme.server.public_id}/")
    few = [queries_of(bob, path) for path in paths]
    many_tools(acme, cast, 40)
    confirm(cast.alice)
    with inside(cast.alice):
        for number in range(6):
            server = register_server(cast.alice, f"server {number}", "https://mcp.example.com/mcp")
            policy = create_policy(cast.alice, server, "p", POLICY)
            publish_policy(cast.alice, policy)
            issue_grant(cast.alice, server, policy, f"grant {number}")
            issue_grant(cast.alice, acme.server, acme.policy, f"more {number}")
            Tool.objects.create(
                organization_id=cast.alice.organization_id, server=server, name="one", digest="1" * 64
            )
    assert [queries_of(bob, path) for path in paths] == few


def _tool(acme: Acme, cast: Cast) -> Tool:
    with inside(cast.alice):
        found: Tool = Tool.objects.get(server=acme.server, name="delete_user")
    return found


def test_the_list_is_searched_and_turned_and_counts_tools_by_class(
    acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    with inside(cast.alice):
        for number in range(55):
            Server.objects.create(
                organization_id=cast.alice.organization_id,
                name=f"server {number:02}",
                upstream_url="https://h.example/mcp",
            )
    bob = signed_in(cast.bob)
    first, second = page(bob, "/servers/"), page(bob, "/servers/?page=2")
    assert "server 48" in first and "server 54" not in first and "server 54" in second
    found = page(bob, "/servers/?q=SERVER+1")
    assert "server 10" in found and "server 20" not in found and "10 of 56" in found
    assert "None of 56 servers is called" in page(bob, "/servers/?q=%3Cb%3E%00")
    own = page(bob, "/servers/?q=aws")
    with inside(cast.alice):
        writing = acme.server.tools.filter(tool_class="Write", removed_at=None).count()
    assert writing and re.search(rf'Write</span><b class="num">{writing}</b>', own)


def test_what_is_not_found_is_offered_as_what_was_meant(acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    bob = signed_in(cast.bob)
    for path, meant in (
        ("/servers/?q=AWS+IAN", "aws iam"),
        ("/servers/everything/?q=acess", "access"),
        ("/policies/?q=agnets", "agents"),
        ("/grants/?q=lapotp", "laptop"),
    ):
        shown = page(bob, path)
        assert "Did you mean" in shown and f">{meant}<" in re.sub("</?bdi[^>]*>", "", shown), path
        assert "Did you mean" not in page(bob, path.partition("=")[0] + "=zzzzzz")


def test_the_tools_of_one_server_are_searched(at: str, acme: Acme, cast: Cast, signed_in: SignedIn) -> None:
    bob = signed_in(cast.bob)
    assert "Find a tool" not in page(bob, at)
    many_tools(acme, cast, 30)
    every, found, none = (page(bob, at + query) for query in ("", "?q=DELETE_us", "?q=delete_usr"))
    assert "Find a tool" in every and ">list_users<" in every
    assert ">delete_user<" in found and ">list_users<" not in found
    assert "No tool matches" in none and "Did you mean" in none


def test_a_server_with_many_grants_says_how_many_more_there_are(
    at: str, acme: Acme, cast: Cast, signed_in: SignedIn
) -> None:
    alice = signed_in(cast.alice)
    assert "issued earlier" not in page(alice, at)
    with inside(cast.alice):
        for number in range(21):
            issue_grant(cast.alice, acme.server, acme.policy, f"agent {number}")
    shown = page(alice, at)
    assert "2 more</a>, issued earlier." in shown and '"/grants/?q=AWS%20IAM"' in shown
    assert "22 of 22" in page(alice, "/grants/?q=AWS%20IAM")
