"""Prints the log as it grows."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Final

from policylayer.client import Client, Unreachable
from policylayer.commands import Verbs, verb
from policylayer.commands.servers import find
from policylayer.output import FINE, USAGE, as_json, complain, say
from policylayer.shapes import Decision

LOOK_SECONDS: Final = 1.0
MOST_BEHIND: Final = 2_000


def add_to(verbs: Verbs) -> None:
    command = verb(verbs, "tail", _tail, "what the gateway decided, as it happens")
    command.add_argument(
        "-n", type=_count, default=10, metavar="N", help="begin with the last N (default: 10)"
    )
    command.add_argument("--no-follow", dest="follow", action="store_false", help="end after them")
    for name, help in (
        ("server", "only of this server: its name or id"),
        ("grant", "only of this grant: its id"),
        ("tool", "only of this tool: its whole name"),
        ("code", "only with this code, such as limit_exceeded"),
        ("since", "only from then on, such as 2027-01-31T08:00:00Z"),
    ):
        command.add_argument(f"--{name}", metavar=name.upper(), help=help)
    command.add_argument("--outcome", choices=["allow", "deny", "approval"], help="only these")
    command.add_argument("--json", action="store_true", help="one JSON object a line")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise argparse.ArgumentTypeError(f"a whole number from 0 on, got {text!r}")
    return int(text)


def _tail(client: Client, given: argparse.Namespace) -> int:
    filters = {
        name: value
        for name in ("server", "grant", "tool", "code", "since", "outcome")
        if (value := getattr(given, name)) is not None
    }
    if given.server is not None and not given.server.startswith("srv_"):
        # Only then: a key that may only read the log may not list servers.
        server = find(client, given.server)
        if server is None:
            return USAGE
        filters["server"] = server.id
    quiet = given.json or given.n == 0
    for decision in decisions(
        client, filters, given.n, follow=given.follow, none="" if quiet else _none(given)
    ):
        if given.json:
            as_json(decision)
        else:
            say(_line(decision))
    return FINE


def _none(given: argparse.Namespace) -> str:
    more = (
        "Waiting for the next one; Ctrl-C ends this."
        if given.follow
        else "To wait for it: leave out --no-follow."
    )
    return f"Nothing like that has been decided yet. {more}"


def decisions(
    client: Client, filters: dict[str, str], first: int, *, follow: bool, none: str = ""
) -> Iterator[Decision]:
    """Yields each once, oldest first, beginning with the last `first`. `none`: said if there are none."""
    newest = _newer(client, filters, "", max(first, 1))
    if none and not newest:
        complain(none)
    yield from newest[: max(first, 0)]
    seen = newest[-1].id if newest else ""
    while follow:
        time.sleep(LOOK_SECONDS)
        for decision in _when_reached(client, filters, seen):
            yield decision
            seen = decision.id


def _when_reached(client: Client, filters: dict[str, str], seen: str) -> list[Decision]:
    """A restart of the site does not end the tail: the log is then read on from where it was.

    Nothing is missed unless more than MOST_BEHIND were added meanwhile: of those only the newest come, and
    that is said.
    """
    told = False
    while True:
        try:
            found = _newer(client, filters, seen, MOST_BEHIND + 1)
        except Unreachable as unreachable:
            if not told:
                complain(f"{unreachable} Trying again.")
            told = True
            time.sleep(LOOK_SECONDS)
            continue
        if len(found) > MOST_BEHIND:
            complain(
                f"More than {MOST_BEHIND:,} decisions were made meanwhile. The older ones are in the log."
            )
        return found[-MOST_BEHIND:]


def _newer(client: Client, filters: dict[str, str], than: str, most: int) -> list[Decision]:
    found: list[Decision] = []
    for decision in client.decisions(**filters):
        if decision.id == than:
            break
        found.append(decision)
        if len(found) >= most:
            break
    return found[::-1]


def _line(decision: Decision) -> str:
    why = f"  {decision.code}: {decision.reason or decision.rule}" if decision.code else f"  {decision.rule}"
    at = decision.at[11:23]
    return f"{at}  {decision.outcome:<8}  {decision.tool or '-'}{why}"
