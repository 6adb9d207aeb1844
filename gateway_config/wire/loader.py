"""From a bundle's bytes to what decides calls. The control plane runs it, too, before it signs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from gateway_config.wire.bundle import (
    Bundle,
    BundleGrant,
    BundleInvalid,
    BundlePolicy,
    BundleServer,
    BundleSettings,
    BundleTool,
)
from gateway_config.wire.codec import decode_bundle
from policies.language.compile import CompiledPolicy, ToolFacts, compile_policy
from policies.language.document import Document
from policies.language.parse import parse_policy
from policies.language.problems import PolicyInvalid

_Value = TypeVar("_Value")


@dataclass(slots=True)
class Lease:
    """Until when (unix seconds) a worker may enforce what it holds without hearing it is still the newest.

    The one thing of a loaded organization that changes: each contact with the control plane renews it.
    """

    until: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadedServer:
    id: str
    name: str
    upstream_url: str
    credentials: str | None = field(repr=False)
    tools: Mapping[str, BundleTool]
    revisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedGrant:
    """`compiled` None: the grant has no policy, so every call is denied. `policy_id` is the revision's."""

    id: str
    server: str
    compiled: CompiledPolicy | None
    policy_id: str | None
    policy_number: int | None
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class LoadedOrganization:
    """`grants` by the hex SHA-256 of their tokens; `revision` is the configuration's, 0 before it has one."""

    organization: str
    settings: BundleSettings
    servers: Mapping[str, LoadedServer]
    grants: Mapping[str, LoadedGrant]
    revision: int = 0
    lease: Lease = field(default_factory=Lease, compare=False)

    @property
    def lease_until(self) -> float:
        return self.lease.until


def load_organization(body: bytes, *, revision: int = 0) -> LoadedOrganization:
    """Everything or nothing: raises BundleInvalid when any part could not be enforced."""
    bundle = decode_bundle(body)
    servers = _unique("server", ((server.id, _server(server)) for server in bundle.servers))
    policies = _unique("policy revision", ((policy.id, policy) for policy in bundle.policies))
    return LoadedOrganization(
        organization=bundle.organization,
        settings=bundle.settings,
        servers=servers,
        grants=_grants(bundle, servers, policies),
        revision=revision,
    )


def _server(server: BundleServer) -> LoadedServer:
    try:
        url = urlsplit(server.upstream_url)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise BundleInvalid(f"the URL of server {server.id} is not one that can be called")
    tools = _unique(f"tool of server {server.id}", ((tool.name, tool) for tool in server.tools))
    return LoadedServer(
        server.id, server.name, server.upstream_url, server.credentials, tools, server.revisions
    )


def _grants(
    bundle: Bundle, servers: Mapping[str, LoadedServer], policies: Mapping[str, BundlePolicy]
) -> dict[str, LoadedGrant]:
    compiler = _Compiler(policies)
    _unique("grant", ((grant.id, None) for grant in bundle.grants))
    grants: dict[str, LoadedGrant] = {}
    for grant in bundle.grants:
        if grant.token_sha256 in grants:
            raise BundleInvalid(f"the token of grant {grant.id} is another grant's, too")
        server = servers.get(grant.server)
        if server is None:
            raise BundleInvalid(f"grant {grant.id} is for server {grant.server}, which is not in the bundle")
        # The ids are the server's and the policy's own strings: of a hundred thousand grants each counts.
        policy, compiled = compiler.of_grant(grant, server)
        grants[grant.token_sha256] = LoadedGrant(
            id=grant.id,
            server=server.id,
            compiled=compiled,
            policy_id=policy.id if policy else None,
            policy_number=policy.number if policy else None,
            expires_at=grant.expires_at,
        )
    return grants


class _Compiler:
    """Parses every policy once, also one no grant has, and compiles it once for each server it guards."""

    def __init__(self, policies: Mapping[str, BundlePolicy]) -> None:
        self._policies = policies
        self._documents = {policy.id: _parsed(policy) for policy in policies.values()}
        self._compiled: dict[tuple[str, str], CompiledPolicy] = {}

    def of_grant(
        self, grant: BundleGrant, server: LoadedServer
    ) -> tuple[BundlePolicy | None, CompiledPolicy | None]:
        if grant.policy is None:
            return None, None
        policy = self._policies.get(grant.policy)
        if policy is None:
            raise BundleInvalid(f"policy revision {grant.policy} of a grant is not in the bundle")
        compiled = self._compiled.get((policy.id, server.id))
        if compiled is None:
            compiled = compile_policy(self._documents[policy.id], _facts(policy, server))
            self._compiled[policy.id, server.id] = compiled
        return policy, compiled


def _facts(policy: BundlePolicy, server: LoadedServer) -> list[ToolFacts]:
    """A tool whose definition is no longer the one that was classed has no class."""
    classes = {(known.name, known.digest): known.tool_class for known in policy.classes}
    return [ToolFacts(tool.name, classes.get((tool.name, tool.digest))) for tool in server.tools.values()]


def _parsed(policy: BundlePolicy) -> Document:
    try:
        return parse_policy(policy.document, stored=True)
    except PolicyInvalid as invalid:
        first = invalid.problems[0]
        raise BundleInvalid(
            f"revision {policy.number} of policy {policy.policy} cannot be loaded: {first.message}"
            f" (line {first.line}, {first.pointer or 'the whole text'})"
        ) from None


def _unique(what: str, pairs: Iterable[tuple[str, _Value]]) -> dict[str, _Value]:
    found: dict[str, _Value] = {}
    for name, value in pairs:
        if name in found:
            raise BundleInvalid(f"{what} {name} stands twice in the bundle")
        found[name] = value
    return found
