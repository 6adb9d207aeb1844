"""Logging in, and saying who is logged in."""

from __future__ import annotations

import argparse

from policylayer.client import Client
from policylayer.commands import Verbs, verb
from policylayer.login import Login, checked, keep, secret
from policylayer.output import FINE, USAGE, as_json, complain, say


def add_to(verbs: Verbs) -> None:
    command = verb(verbs, "login", _login, "keep an address and an API key", without_login=True)
    command.add_argument("url", metavar="URL", help="such as https://policylayer.example.com")
    command = verb(verbs, "whoami", _whoami, "say who you are, and what the key may do")
    command.add_argument("--json", action="store_true")


def _login(given: argparse.Namespace) -> int:
    url = checked(given.url)
    key = secret("API key: ")
    if not key.startswith("plk_"):
        complain("An API key begins with plk_. Make one in the app, under Settings, API keys.")
        return USAGE
    with Client(url, key) as client:
        me = client.me()
    path = keep(Login(url, key))
    say(f"Logged in as {me.email} ({me.role}). The key is kept in {path}, for you alone.")
    return FINE


def _whoami(client: Client, given: argparse.Namespace) -> int:
    me = client.me()
    if given.json:
        as_json(me)
    else:
        scopes = "everything the role may" if me.scopes is None else ", ".join(me.scopes)
        say(f"{me.email}, {me.role} of {me.organization}\nThe key may: {scopes}")
    return FINE
