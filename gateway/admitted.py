"""Who was let in to what."""

from dataclasses import dataclass

from gateway_config.wire.grants import LoadedGrant
from gateway_config.wire.loader import LoadedOrganization, LoadedServer


@dataclass(slots=True, eq=False)
class Admitted:
    """What a token opened, as the configuration stood at that moment. `token`: its SHA-256; `cors`: lines.

    `version`: the last of the configuration for which this was found to hold. Nothing else ever changes.
    """

    token: bytes
    organization: LoadedOrganization
    grant: LoadedGrant
    server: LoadedServer
    cors: bytes = b""
    version: int = -1
