"""A process may die while it handles one part of many grants: every gateway still learns every grant."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from common.ids import parse_public_id
from tests.crash_points.points import PART_POINTS
from tests.crash_points.test_a_crash_at_every_step import GATEWAYS, deadly_surroundings, document
from tests.fixtures.servers.start import running_toy
from tests.journeys.api import Api, gateway_status, wait_until
from tests.journeys.product import RunningProduct, running_product
from tests.load.publishing import MORE_GRANTS, execute

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(900)]

MORE_THAN_ONE_BUNDLE_HOLDS = 5_000
_PARTS = "SELECT cardinality(parts) FROM gateway_config_configrevision ORDER BY number DESC LIMIT 1"


@dataclass
class Granted:
    api: Api
    folder: Path
    server: dict[str, Any]
    policy: str
    issued: dict[str, Any]

    def issue(self, label: str) -> dict[str, Any]:
        body = {"server": self.server["id"], "policy": self.policy, "label": label}
        grant: dict[str, Any] = self.api.ask("POST", "/grants/", body)
        return grant

    def workers_in_step(self) -> bool:
        rows = self.api.ask("GET", "/workers/")["results"]
        return len(rows) == GATEWAYS and all(row["applied"] and not row["gone"] for row in rows)

    def everywhere(self, grant: dict[str, Any], *, known: bool) -> bool:
        """Return whether all gateways know the grant, or none does. One that is starting does not answer."""
        try:
            return self.workers_in_step() and all((gateway_status(grant) != 401) == known for _ in range(12))
        except (OSError, HTTPException, AssertionError):
            return False


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granted]:
    folder = tmp_path_factory.mktemp("parts")
    with (
        running_toy() as toy,
        running_product(folder, gateways=GATEWAYS, surroundings=deadly_surroundings(folder)) as product,
    ):
        made = product.bootstrap()
        api = Api(product.web, made["api_key"])
        server = api.register("Toy", toy.url)
        policy = api.publish(server, document(0))
        first = api.grant(server, policy, "first")
        organization = parse_public_id("org", made["organization"]["id"])
        execute(product, organization, MORE_GRANTS, MORE_THAN_ONE_BUNDLE_HOLDS)
        api.ask("PATCH", f"/policies/{policy}/", {"document": document(1)})
        api.publish_draft(policy)
        assert parts_of_the_newest(product, organization) > 1
        yield Granted(api, folder, server, policy, first)


def parts_of_the_newest(product: RunningProduct, organization: UUID) -> int:
    ((parts,),) = execute(product, organization, _PARTS)
    return int(parts)


@pytest.mark.parametrize("point", PART_POINTS)
def test_after_a_crash_with_a_part_of_the_grants_each_is_known_everywhere(
    granted: Granted, point: str
) -> None:
    wait_until(lambda: granted.everywhere(granted.issued, known=True), "not at rest before", 60)
    (granted.folder / "fired").unlink(missing_ok=True)
    (granted.folder / "armed").write_text(point)
    newest = granted.issue(point)
    wait_until((granted.folder / "fired").exists, f"nothing came to: {point}")
    died = (granted.folder / "fired").stat().st_ctime
    wait_until(lambda: granted.everywhere(newest, known=True), f"not converged after: {point}", 60)
    print(f"{point:26} {time.time() - died:5.1f} s")
    assert granted.everywhere(granted.issued, known=True)
    granted.api.ask("POST", f"/grants/{granted.issued['id']}/revoke/", {})
    wait_until(lambda: granted.everywhere(granted.issued, known=False), "a revoked grant is known", 60)
    granted.issued = newest
