"""From a bundle's bytes to what decides calls. The control plane runs it, too, before it signs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec

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
_Shared: TypeAlias = tuple[str, CompiledPolicy | None, str | None, int | None]


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


class LoadedGrant(msgspec.Struct, frozen=True, gc=False):
    """`compiled` None: the grant has no policy, so every call is denied. `policy_id` is the revision's.

    There may be a million of them: the least that holds them.
    """

    id: str
    server: str
    compiled: CompiledPolicy | None
    policy_id: str | None
    policy_number: int | None
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class LoadedOrganization:
    """`grants` by the SHA-256 of their tokens; `revision` is the configuration's, 0 before it has one."""

    organization: str
    settings: BundleSettings
    servers: Mapping[str, LoadedServer]
    grants: Mapping[bytes, LoadedGrant]
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
) -> dict[bytes, LoadedGrant]:
    compiler = _Compiler(policies)
    _check_tokens_of_one_grant_agree(bundle)
    grants: dict[bytes, LoadedGrant] = {}
    shared: dict[tuple[str, str | None], _Shared] = {}
    for grant in bundle.grants:
        token = bytes.fromhex(grant.token_sha256)
        if token in grants:
            raise BundleInvalid(f"the token of grant {grant.id} is another grant's, too")
        kind = (grant.server, grant.policy)
        same = shared.get(kind)
        if same is None:
            same = shared[kind] = compiler.of_grant(grant, servers)
        ends = grant.expires_at
        # Copies of its own, the rest shared: what was read is then let go of without leaving holes.
        own = grant.id.encode().decode()
        grants[token] = LoadedGrant(own, *same, None if ends is None else ends + 0)
    return grants


def _check_tokens_of_one_grant_agree(bundle: Bundle) -> None:
    """While a token is rotated its grant is there twice: the same in all but the token and its end."""
    if len({grant.id for grant in bundle.grants}) == len(bundle.grants):
        return
    opens: dict[str, tuple[str, str | None]] = {}
    for grant in bundle.grants:
        kind = (grant.server, grant.policy)
        if opens.setdefault(grant.id, kind) != kind:
            raise BundleInvalid(f"grant {grant.id} is there twice, and not the same")


class _Compiler:
    """Parses every policy once, also one no grant has, and compiles it once for each server it guards."""

    def __init__(self, policies: Mapping[str, BundlePolicy]) -> None:
        self._policies = policies
        self._documents = {policy.id: _parsed(policy) for policy in policies.values()}

    def of_grant(self, grant: BundleGrant, servers: Mapping[str, LoadedServer]) -> _Shared:
        """What it has in common with every other grant of its server and policy."""
        server = servers.get(grant.server)
        if server is None:
            raise BundleInvalid(f"grant {grant.id} is for server {grant.server}, which is not in the bundle")
        if grant.policy is None:
            return server.id, None, None, None
        policy = self._policies.get(grant.policy)
        if policy is None:
            raise BundleInvalid(f"policy revision {grant.policy} of a grant is not in the bundle")
        compiled = compile_policy(self._documents[policy.id], _facts(policy, server))
        return server.id, compiled, policy.id, policy.number


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
