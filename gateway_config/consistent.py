"""What saves, loads: a bundle is read as a gateway will read it before anybody signs it."""

from __future__ import annotations

from uuid import UUID

from gateway_config.wire.bundle import BundleInvalid
from gateway_config.wire.loader import load_organization


def check_loads(body: bytes, organization_id: UUID) -> None:
    """Raises BundleInvalid where a gateway would refuse."""
    loaded = load_organization(body)
    if loaded.organization != str(organization_id):
        raise BundleInvalid("the bundle is another organization's")
