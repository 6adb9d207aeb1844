from __future__ import annotations

import argparse

from policylayer.client import Client
from policylayer.commands import ONE_A_LINE, Verbs, group, names, naming, verb
from policylayer.commands.servers import find
from policylayer.output import FINE, USAGE, as_json, complain, listed, say
from policylayer.shapes import Grant


def add_to(verbs: Verbs) -> None:
    grants = group(verbs, "grants", "issue and revoke what agents call with")
    verb(grants, "list", _list, "the grants of the organization").add_argument(
        "--json", action="store_true", help=ONE_A_LINE
    )
    command = verb(grants, "issue", _issue, "issue a grant; its token is printed once")
    command.add_argument("server", metavar="SERVER", help="its name or id")
    command.add_argument("label", metavar="LABEL", help="which agent it is for")
    command.add_argument("--policy", help="name of the policy; without one every call is denied")
    command.add_argument("--expires", metavar="TIME", help="such as 2027-01-31T00:00:00Z")
    command.add_argument("--json", action="store_true", help=ONE_A_LINE)
    command = verb(grants, "rotate", _rotate, "a new token for a grant; the old one works a while longer")
    command.add_argument("grant", metavar="ID", help="grt_…, as `grants list` shows it")
    command.add_argument("--overlap", type=int, default=3600, metavar="SECONDS", help="default: an hour")
    command.add_argument("--json", action="store_true", help=ONE_A_LINE)
    command = verb(grants, "revoke", _revoke, "end a grant now; its streams are closed")
    command.add_argument("grant", metavar="ID", help="grt_…, as `grants list` shows it")


def _list(client: Client, given: argparse.Namespace) -> int:
    found = list(client.grants())
    in_table = found and not given.json
    servers = names(client.servers()) if in_table else {}
    policies = names(client.policies()) if in_table else {}

    def row(one: Grant) -> tuple[str, ...]:
        return (
            *(one.label, one.state, servers.get(one.server, one.server)),
            *(policies.get(one.policy or "", one.policy or "none"), one.hint + "…"),
            *(_used(one), one.id),
        )

    none = "There is no grant yet. Issue one: policylayer grants issue SERVER LABEL --policy NAME"
    heads = ("LABEL", "STATE", "SERVER", "POLICY", "TOKEN", "LAST USED", "ID")
    return listed(found, given.json, heads, row, none)


def _used(grant: Grant) -> str:
    """Writes the time to the second."""
    return f"{grant.last_used_at[:19]}Z" if grant.last_used_at else "not yet"


def _issue(client: Client, given: argparse.Namespace) -> int:
    server = find(client, given.server)
    if server is None:
        return USAGE
    policy = None
    if given.policy is not None:
        named = [one.id for one in client.policies() if (one.server, one.name) == (server.id, given.policy)]
        if not named:
            complain(f"{server.name} has no policy named {given.policy}.")
            return USAGE
        policy = named[0]
    return _shown_once(client.issue_grant(server.id, policy, given.label, given.expires), given)


def _rotate(client: Client, given: argparse.Namespace) -> int:
    with naming("grant", given.grant):
        rotated = client.rotate_grant(given.grant, given.overlap)
    return _shown_once(rotated, given)


def _shown_once(grant: Grant, given: argparse.Namespace) -> int:
    if given.json:
        as_json(grant)
    else:
        complain("The token is shown this once. Whoever has it calls as this grant.")
        say(f"{grant.gateway_url}\n{grant.token}")
    return FINE


def _revoke(client: Client, given: argparse.Namespace) -> int:
    with naming("grant", given.grant):
        grant = client.revoke_grant(given.grant)
    say(f"{grant.label} is {grant.state}.")
    return FINE
