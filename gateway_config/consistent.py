"""What saves, loads: before a bundle is signed, it is loaded just as a gateway will load it."""

from __future__ import annotations

from uuid import UUID

from gateway_config.grants import Grants, as_loaded
from gateway_config.wire.bundle import BundleInvalid
from gateway_config.wire.grants import load_part
from gateway_config.wire.loader import load_organization


def check_loads(body: bytes, organization_id: UUID, grants: Grants) -> None:
    """Raises BundleInvalid if a gateway would refuse it. Older parts were read when they were fresh."""
    parts = {
        part.digest: load_part(part.body.encode())
        if part.digest in grants.fresh
        else as_loaded(part, number, len(grants.parts))
        for number, part in enumerate(grants.parts)
    }
    loaded = load_organization(body, parts)
    if loaded.organization != str(organization_id):
        raise BundleInvalid("the bundle is another organization's")
