"""From rows to a bundle: everything that gateways need for one organization, and nothing of any other.

The same rows give the same bytes. Sealing again would give different ones, so a credential that did not
change keeps its sealed text from the previous bundle: then equal bytes mean equal content, and no gateway
sees a difference.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Case, OuterRef, Q, Subquery, TextField, When
from django.db.models.functions import Cast

from accounts.limits import CALLS_A_MINUTE_UNCONFIRMED, Limit, is_confirmed, most
from accounts.models import Organization
from common.sealing import Keyring, SealingError
from config import env
from gateway.protocol.methods import SESSIONS
from gateway_config.grants import Changes, Grants, read_grants
from gateway_config.models import ConfigRevision
from gateway_config.wire.bundle import (
    FORMAT,
    FORMAT_IN_PARTS,
    PATH,
    QUERY,
    Bundle,
    BundlePolicy,
    BundleServer,
    BundleSettings,
    BundleTool,
    ToolClass,
)
from gateway_config.wire.mirrored import ANNOTATION, mirrored_arguments
from policies.models import Policy
from servers.addresses import Address, address_of
from servers.models import Server, Tool, ToolScan

logger = logging.getLogger(__name__)

PURPOSE = "upstream-headers"


@dataclass(frozen=True, slots=True)
class Built:
    bundle: Bundle
    policy_revisions: tuple[UUID, ...]
    grants: Grants


def build_bundle(organization_id: UUID, before: ConfigRevision | None, changes: Changes) -> Built:
    """`before`: the newest revision, if any; what has not changed since is taken from it."""
    policies = _policies(organization_id)
    servers = _servers(organization_id, before)
    grants = read_grants(organization_id, {server.id for server in servers}, policies, before, changes)
    bundle = Bundle(
        organization=str(organization_id),
        settings=_settings(organization_id),
        servers=servers,
        policies=policies,
        grants=grants.inside,
        parts=grants.digests or msgspec.UNSET,
        format=FORMAT_IN_PARTS if grants.parts else FORMAT,
    )
    return Built(bundle, tuple(UUID(policy.id) for policy in policies), grants)


def _settings(organization_id: UUID) -> BundleSettings:
    organization = Organization.objects.get(pk=organization_id)
    confirmed = is_confirmed(organization_id)
    return BundleSettings(
        most_calls=most(organization_id, Limit.CALLS_PER_SECOND) if confirmed else CALLS_A_MINUTE_UNCONFIRMED,
        most_calls_seconds=1 if confirmed else 60,
        most_open=most(organization_id, Limit.STREAMS),
        lease_seconds=organization.lease_seconds,
        explain_denials=organization.explain_denials,
        approval_seconds=organization.approval_seconds,
        kept_arguments=tuple(organization.kept_arguments),
    )


def _policies(organization_id: UUID) -> tuple[BundlePolicy, ...]:
    """Every published policy, even one that no grant uses yet, so that its rollout can be seen."""
    rows = (
        Policy.objects.filter(
            organization_id=organization_id, server__retired_at=None, published_revision__isnull=False
        )
        .order_by("published_revision_id")
        .values_list(
            "published_revision_id",
            "id",
            "published_revision__number",
            "published_revision__document",
            "published_revision__classes",
        )
    )
    return tuple(
        BundlePolicy(
            id=str(revision),
            policy=str(policy),
            number=number,
            document=document,
            classes=tuple(ToolClass(*row) for row in classes),
        )
        for revision, policy, number, document, classes in rows
    )


def _servers(organization_id: UUID, before: ConfigRevision | None) -> tuple[BundleServer, ...]:
    # URL and credential in one statement: a credential must never go with a URL that is not its own.
    done = ToolScan.objects.filter(server=OuterRef("pk"), state=ToolScan.State.DONE).order_by("-started_at")
    rows = list(
        Server.objects.filter(organization_id=organization_id, retired_at=None)
        .annotate(spoken=Subquery(done.values("protocol_version")[:1]))
        .order_by("id")
        .values_list("id", "name", "upstream_url", "credential__sealed", "spoken")
    )
    tools = _tools(organization_id)
    # The parts of an address that may be a key go with the credentials.
    places = {pk: address_of(url) for pk, _, url, _, _ in rows}
    secret = {
        pk: (text or "", places[pk])
        for pk, _, _, text, _ in rows
        if text or places[pk].query or places[pk].rest
    }
    sealed = _credentials(organization_id, secret, before)
    return tuple(
        BundleServer(
            id=str(pk),
            name=name,
            upstream_url=places[pk].place,
            credentials=sealed.get(pk),
            tools=tools.get(pk, ()),
            revisions=_revisions(spoken),
        )
        for pk, name, _, _, spoken in rows
    )


def _revisions(spoken: str | None) -> tuple[str, ...]:
    # A scan asks for the newest first: an older answer means that the newest is not spoken, but a new one
    # does not mean that the older ones are not.
    return (spoken,) if spoken in SESSIONS else ()


def _tools(organization_id: UUID) -> dict[UUID, tuple[BundleTool, ...]]:
    rows = Tool.objects.filter(organization_id=organization_id).present().order_by("server_id", "name")
    # Few schemas hold it, and the others are long: they are not fetched.
    annotated = Q(schema_text__contains=f'"{ANNOTATION}"')
    named = (
        rows.annotate(schema_text=Cast("input_schema", TextField()))
        .annotate(schema=Case(When(annotated, then="input_schema"), default=None))
        .values_list("server_id", "name", "digest", "schema")
    )
    return {
        server: tuple(
            BundleTool(name=name, digest=digest, mirrored=mirrored_arguments(schema))
            for _, name, digest, schema in group
        )
        for server, group in groupby(named, key=itemgetter(0))
    }


# ---- credentials
class _SealedServer(msgspec.Struct):
    id: str
    credentials: str | None = None


class _SealedBefore(msgspec.Struct):
    servers: tuple[_SealedServer, ...] = ()


def _credentials(
    organization_id: UUID, secret: Mapping[UUID, tuple[str, Address]], before: ConfigRevision | None
) -> dict[UUID, str]:
    """Each server's headers and what may be a key in its address: opened with the database's keys, sealed
    with the gateways'."""
    if not secret:
        return {}
    gateways, kept = bundle_keys(), _sealed_before(before)
    found = {}
    for server, (sealed, address) in secret.items():
        bound = {"organization": str(organization_id), "subject": str(server), "purpose": PURPOSE}
        plain = _with_address(_opened(sealed, bound) if sealed else None, address)
        if plain is not None:
            old = kept.get(str(server), "")
            found[server] = old if _holds(gateways, old, plain, bound) else gateways.seal(plain, **bound)
    return found


def _opened(sealed: str, bound: Mapping[str, str]) -> bytes | None:
    try:
        return Keyring.parse(settings.SEALING_KEYS).open(sealed, **bound)
    except SealingError as problem:
        # One lost key must not hold back the bundle that other revocations wait for; without its
        # credential the server itself refuses the calls.
        logger.error("the credential of server %s does not open: %s", bound["subject"], problem)
        return None


def _with_address(headers: bytes | None, address: Address) -> bytes | None:
    parts = {name: part for name, part in ((PATH, address.rest), (QUERY, address.query)) if part}
    return json.dumps({**json.loads(headers or b"{}"), **parts}).encode() if parts else headers


def bundle_keys() -> Keyring:
    """Read here and nowhere else: in the control plane only the Celery worker's environment holds them."""
    return Keyring.parse(env.text("BUNDLE_KEYS"))


def _sealed_before(before: ConfigRevision | None) -> dict[str, str]:
    if before is None:
        return {}
    bundle = msgspec.json.decode(before.body, type=_SealedBefore)
    return {server.id: text for server in bundle.servers if (text := server.credentials) is not None}


def _holds(keys: Keyring, sealed: str, plain: bytes, bound: Mapping[str, str]) -> bool:
    """True if the text holds exactly this, sealed with the current key."""
    if sealed.split(".")[1:2] != [keys.first]:
        return False
    try:
        return keys.open(sealed, **bound) == plain
    except SealingError:
        return False
