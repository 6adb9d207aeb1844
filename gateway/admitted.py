"""Who was let in to what, and by what rules their calls of a tool are judged."""

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
    """Whose calls these are and the rules that hold for them: all that calls of one tool have in common.

    `tools`: those the server lists. `tool_digest`: of the definition of the one called.
    `patient`: the client may be kept waiting for a person. `heavy`: judging takes too long for an event loop;
    for a request of at most `light` bytes it never does. `reserves`: what such a call was found to take by
    its quotas, which are the same ones each time.
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
    """What a token opened, as the configuration stood at that moment. `token`: its SHA-256; `cors`: lines.

    `version`: the last of the configuration for which this was found to hold. `askers`: by tool, of those
    that are there; `told`: what the records of its last allowed calls say alike. Nothing else ever changes.
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
        # There are not many tools; what else a caller may name is not kept.
        if known is not None:
            self.askers[tool] = asker
            asker.light = light_size(compiled, tool)
            # What the server shows otherwise by now is nothing that anybody has agreed to.
            asker.tool_digest = known.digest if compiled is self.grant.compiled else ""
        return asker
