"""From a bundle's bytes to what decides calls. The control plane runs this, too, before it signs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import urlsplit

from gateway_config.wire.bundle import (
    Bundle,
    BundleInvalid,
    BundlePolicy,
    BundleServer,
    BundleSettings,
    BundleTool,
)
from gateway_config.wire.codec import decode_bundle
from gateway_config.wire.grants import Grants, Kind, LoadedPart, Shared, parts_of
from policies.language.compile import ToolFacts, compile_policy
from policies.language.document import Document
from policies.language.parse import parse_policy
from policies.language.problems import PolicyInvalid

_Value = TypeVar("_Value")
NO_PARTS: Final[Mapping[str, LoadedPart]] = MappingProxyType({})


@dataclass(slots=True)
class Lease:
    """Until when (unix seconds) a worker may enforce what it holds without hearing it is still the newest.

    The only part of a loaded organization that changes: each contact with the control plane renews it.
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
class LoadedOrganization:
    """`grants` by the SHA-256 of their tokens; `revision` is the configuration's, 0 before it has one."""

    organization: str
    settings: BundleSettings
    servers: Mapping[str, LoadedServer]
    grants: Grants
    revision: int = 0
    lease: Lease = field(default_factory=Lease, compare=False)


def load_organization(
    body: bytes, held: Mapping[str, LoadedPart] = NO_PARTS, *, revision: int = 0
) -> LoadedOrganization:
    """Everything or nothing: raises BundleInvalid if any part could not be enforced."""
    bundle = decode_bundle(body)
    return load_bundle(bundle, parts_of(bundle, held), revision=revision)


def load_bundle(bundle: Bundle, parts: Sequence[LoadedPart], *, revision: int = 0) -> LoadedOrganization:
    servers = _unique("server", ((server.id, _server(server)) for server in bundle.servers))
    compiler = _Compiler(bundle, servers)
    kinds = {kind for part in parts for kind in part.kinds}
    return LoadedOrganization(
        organization=bundle.organization,
        settings=bundle.settings,
        servers=servers,
        grants=Grants(parts, compiler.shared(kinds)),
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


class _Compiler:
    """Parses every policy once, even one that no grant has, and compiles it once per server it guards."""

    def __init__(self, bundle: Bundle, servers: Mapping[str, LoadedServer]) -> None:
        self._servers = servers
        self._in_parts = bool(bundle.parts)
        self._policies = _unique("policy revision", ((one.id, one) for one in bundle.policies))
        if self._in_parts:
            self._policies = _unique("policy", ((one.policy, one) for one in bundle.policies))
        self._documents = {policy.id: _parsed(policy) for policy in bundle.policies}

    def shared(self, kinds: Iterable[Kind]) -> dict[Kind, Shared]:
        """What the grants of each kind share, for the kinds that are served."""
        found = {}
        for server_id, policy_id in kinds:
            server = self._servers.get(server_id)
            if server is not None:
                found[server_id, policy_id] = self._compiled(server, policy_id)
            elif not self._in_parts:
                raise BundleInvalid(f"server {server_id} of a grant is not in the bundle")
        return found

    def _compiled(self, server: LoadedServer, policy_id: str | None) -> Shared:
        policy = None if policy_id is None else self._policies.get(policy_id)
        if policy is not None:
            compiled = compile_policy(self._documents[policy.id], _facts(policy, server))
            return server.id, compiled, policy.id, policy.number
        if policy_id is not None and not self._in_parts:
            raise BundleInvalid(f"policy revision {policy_id} of a grant is not in the bundle")
        return server.id, None, None, None


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
            raise BundleInvalid(f"{what} {name} appears twice in the bundle")
        found[name] = value
    return found
