"""Who is given the metrics: on loopback only those who ask this machine by its own names."""

from __future__ import annotations

import httpx
import pytest

from gateway.health import serve_beside
from tests.ports import free_port


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 403), ("0.0.0.0", 200)])
async def test_a_page_led_to_loopback_reads_no_metrics_and_a_prometheus_may_use_any_name(
    host: str, status: int
) -> None:
    port = free_port()
    server = await serve_beside(
        {"/metrics": lambda: (200, b"policylayer_ready 1\n", "text/plain")}, host, port
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            named = {"Host": f"pl-gateway-0.prod:{port}"}
            assert (await client.get("/metrics")).status_code == 200
            assert (await client.get("/metrics", headers=named)).status_code == status
    finally:
        server.close()
