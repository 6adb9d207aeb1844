"""Who was let in to what."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.counters.base import Charge
from gateway_config.wire.grants import LoadedGrant
from gateway_config.wire.loader import LoadedOrganization, LoadedServer
from policies.language.decision import TakeQuota

KnownCharges: TypeAlias = dict[str, tuple[Sequence[TakeQuota], tuple[Charge, ...]]]
"""By tool: what its calls take, and what that comes to for one grant."""


@dataclass(slots=True, eq=False)
class Admitted:
    """What a token opened, as the configuration stood at that moment. `token`: its SHA-256; `cors`: lines.

    `version`: the last of the configuration for which this was found to hold. `charges`: what its calls were
    found to take. Nothing else ever changes.
    """

    token: bytes
    organization: LoadedOrganization
    grant: LoadedGrant
    server: LoadedServer
    cors: bytes = b""
    version: int = -1
    charges: KnownCharges = field(default_factory=dict)
