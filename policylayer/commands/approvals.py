from __future__ import annotations

import argparse

from policylayer.client import Client
from policylayer.commands import ONE_A_LINE, Verbs, group, names, naming, verb
from policylayer.output import FINE, listed, say
from policylayer.shapes import Approval


def add_to(verbs: Verbs) -> None:
    approvals = group(verbs, "approvals", "answer calls that wait for a person")
    command = verb(approvals, "list", _list, "what waits now")
    command.add_argument("--all", action="store_true", help="also what is over")
    command.add_argument("--json", action="store_true", help=ONE_A_LINE)
    for name, about in (("approve", "let one call through, once"), ("decline", "refuse one call")):
        command = verb(approvals, name, _answer, about)
        command.set_defaults(answer=name)
        command.add_argument("approval", metavar="ID", help="apr_…, as `approvals list` shows it")
        command.add_argument("--note", default="", help="kept with the answer")


def _list(client: Client, given: argparse.Namespace) -> int:
    found = list(client.approvals(**({} if given.all else {"state": "pending"})))
    # The names are not needed if no table is shown.
    servers = names(client.servers()) if found and not given.json else {}

    def row(one: Approval) -> tuple[str, ...]:
        return (
            *(one.id, one.state, servers.get(one.server, one.server), one.tool),
            *(f"{one.seconds_left} s", one.reason or one.rule, one.arguments_json or "not shown"),
        )

    none = (
        "No call has ever waited for a person. A rule that asks for approval makes one wait."
        if given.all
        else "Nothing waits. To see what is over: policylayer approvals list --all"
    )
    return listed(found, given.json, ("ID", "STATE", "SERVER", "TOOL", "LEFT", "WHY", "ARGUMENTS"), row, none)


def _answer(client: Client, given: argparse.Namespace) -> int:
    act = client.approve if given.answer == "approve" else client.decline
    with naming("approval", given.approval):
        approval = act(given.approval, given.note)
    say(f"{approval.tool} is {approval.state}.")
    return FINE
