"""The people of the tests: Alice owns Acme, Bob is a viewer, Carol a policy manager, Dave an admin.

Mallory owns another organization, Umbra.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction
from django.test import Client

from accounts.models import Membership, Role, User
from accounts.services import create_api_key, found_organization
from accounts.tenancy import organization_context
from policies.models import Grant, Policy
from servers.models import Server, Tool
from servers.services import register_server

PASSWORD = "correct horse battery staple"
POLICY = """{
  "version": "1",
  "default": "deny",
  "tools": {
    "create_access_key": {
      "limits": [
        { "counter": "create_access_key_rate", "window": "minute", "max": 30, "scope": "grant" }
      ]
    }
  }
}"""


@dataclass(frozen=True)
class Cast:
    alice: Membership
    bob: Membership
    carol: Membership
    dave: Membership
    mallory: Membership

    def everyone(self) -> dict[str, Membership]:
        return {name: getattr(self, name) for name in ("alice", "bob", "carol", "dave", "mallory")}


@dataclass(frozen=True)
class Acme:
    """One of each thing in Acme, for tests that need something to look at."""

    server: Server
    policy: Policy
    grant: Grant
    token: str


def person(name: str) -> User:
    return User.objects.create_user(f"{name}@example.com", PASSWORD)


def confirm(member: Membership) -> None:
    """Confirm the member's address, as if they had followed the link in the mail."""
    EmailAddress.objects.update_or_create(
        user=member.user, email=member.user.email, defaults={"verified": True, "primary": True}
    )


@contextmanager
def inside(member: Membership) -> Iterator[None]:
    """Enter the member's organization, as a request of theirs would."""
    with organization_context(member.organization_id):
        yield


@pytest.fixture(scope="module")
def rows_of_the_module(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Keep the rows that a module's fixtures write for all its tests, and drop those that a test writes.

    For modules with many tests that take `db`: each test runs in a transaction within this one.
    """
    around = transaction.atomic()
    around._from_testcase = True  # type: ignore[attr-defined]  # durable blocks may stand within
    with django_db_blocker.unblock(), around:
        yield
        transaction.set_rollback(True)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def make_cast() -> Cast:
    alice = found_organization(person("alice"), "Acme")
    mallory = found_organization(person("mallory"), "Umbra")
    roles = {"bob": Role.VIEWER, "carol": Role.POLICY_MANAGER, "dave": Role.ADMIN}
    with inside(alice):
        others = {
            name: Membership.objects.create(organization=alice.organization, user=person(name), role=role)
            for name, role in roles.items()
        }
    return Cast(alice=alice, mallory=mallory, **others)


@pytest.fixture
def acme(cast: Cast) -> Acme:
    return make_acme(cast)


def make_acme(cast: Cast, upstream_url: str = "http://127.0.0.1:9/mcp") -> Acme:
    from policies.services import create_policy, issue_grant

    with inside(cast.alice):
        server = register_server(cast.alice, "AWS IAM", upstream_url)
        for position, (name, tool_class, severity) in enumerate(
            [("create_access_key", "Write", 3), ("delete_user", "Destructive", 4), ("list_users", "Read", 1)]
        ):
            Tool.objects.create(
                organization_id=cast.alice.organization_id,
                server=server,
                name=name,
                tool_class=tool_class,
                severity=severity,
                position=position,
                digest=f"{position:064x}",
                input_schema={"type": "object", "properties": {"user_name": {"type": "string"}}},
            )
        policy = create_policy(cast.alice, server, "agents", POLICY)
        grant, token = issue_grant(cast.alice, server, policy, "laptop")
    return Acme(server, policy, grant, token)


@pytest.fixture
def signed_in() -> Callable[[Membership], Client]:
    """A function that makes a test client signed in as a member."""

    def make(member: Membership) -> Client:
        client = Client()
        client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return make


def key_whatever_the_role(member: Membership, *scopes: str) -> str:
    """Create a key with any scopes by making the member an owner for a moment.

    A key may do only what its maker's current role may, so the role, not the scopes, limits this one.
    """
    role = member.role
    with inside(member):
        _take(member, Role.OWNER)
        _, token = create_api_key(member, "tests", scopes)
        _take(member, role)
    return token


def _take(member: Membership, role: str) -> None:
    member.role = role
    member.save(update_fields=["role"])


@pytest.fixture
def api_key() -> Callable[..., str]:
    """A token with the given scopes (default: those that the first issue's journey needs)."""

    def make(member: Membership, *scopes: str) -> str:
        wanted = scopes or ("servers:write", "policies:write", "grants:write", "logs:read")
        with inside(member):
            _, token = create_api_key(member, "tests", wanted)
        return token

    return make
