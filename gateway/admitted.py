"""Who was admitted to what, and the rules by which their tool calls are judged."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.effects import Reserve, Ruling
from gateway_config.wire.grants import LoadedGrant
from gateway_config.wire.loader import LoadedOrganization, LoadedServer
from policies.language.compile import CompiledPolicy
from policies.language.decision import TakeQuota
from policies.language.offloading import light_size


class Asker(msgspec.Struct):
    """Who is calling and the rules that apply: everything that one grant's calls of one tool share.

    `tools`: the tools the server lists. `tool_digest`: the digest of the called tool's definition.
    `patient`: the client may be kept waiting for a person. `heavy`: judging takes too long for an event loop;
    for a request of at most `light` bytes it never does. `reserves`: the quotas of such a call and the
    Reserve made from them, kept because they are the same for every call.
    """

    organization: str
    server: str
    grant: str
    compiled: CompiledPolicy | None
    tools: Container[str] = frozenset()
    tool_digest: str = ""
    lease_over: bool = False
    approval_seconds: int = 900
    patient: bool = False
    heavy: bool = False
    light: int = -1
    reserves: tuple[Sequence[TakeQuota], Reserve] | None = None


@dataclass(slots=True, eq=False)
class Admitted:
    """What a token gives access to, as of one configuration. `token`: its SHA-256; `cors`: header lines.

    `version`: the latest configuration version for which this was found to hold. `askers`: by tool, only for
    tools the server has. `told`: by tool, the ruling of the last allowed call, and what the records of calls
    under that ruling share. Nothing but these three ever changes.
    """

    token: bytes
    organization: LoadedOrganization
    grant: LoadedGrant
    server: LoadedServer
    cors: bytes = b""
    version: int = -1
    askers: dict[str, Asker] = field(default_factory=dict)
    told: dict[str, tuple[Ruling, msgspec.Raw]] = field(default_factory=dict)

    def new_asker(self, tool: str, compiled: CompiledPolicy | None, *, patient: bool) -> Asker:
        """`compiled`: the grant's policy as it applies to this tool."""
        organization, server = self.organization, self.server
        known = server.tools.get(tool)
        asker = Asker(
            organization.organization,
            server.id,
            self.grant.id,
            compiled,
            server.tools,
            approval_seconds=organization.settings.approval_seconds,
            patient=patient,
        )
        # Kept only for tools that exist: those are few, but a caller may name anything.
        if known is not None:
            self.askers[tool] = asker
            asker.light = light_size(compiled, tool)
            # A tool that has drifted has no digest here: nobody has agreed to its current definition.
            asker.tool_digest = known.digest if compiled is self.grant.compiled else ""
        return asker
