"""When an organization is deleted on its page, running gateways refuse its calls and keep nothing of it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.ids import parse_public_id
from tests.fixtures.servers.start import RunningToy, running_toy
from tests.journeys.api import REVISION, Api, called, gateway_status, wait_until
from tests.journeys.product import RunningProduct, running_product

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(400)]

GATEWAYS = 2
POLICY: dict[str, Any] = {"version": "1", "default": "allow"}
CANARY = "Bearer what-only-this-server-may-see"


def test_a_deleted_organization_is_over_on_every_gateway(tmp_path: Path) -> None:
    with running_product(tmp_path, gateways=GATEWAYS) as product, running_toy() as toy:
        acme, acmes = _organization(product, toy, "alice@example.com", "Acme")
        _, umbras = _organization(product, toy, "mallory@example.com", "Umbra")
        assert _kept(product, acme) == {"gw-1": True, "gw-2": True}
        with _stream(acmes) as over:
            _delete(product, acme)
            wait_until(lambda: gateway_status(acmes) == 401, "calls are still taken")
            wait_until(over.is_set, "the stream goes on")
        wait_until(
            lambda: all(gateway_status(acmes) == 401 for _ in range(20)), "one of the gateways takes calls"
        )
        wait_until(lambda: not any(_kept(product, acme).values()), "something of it is kept on a disk")
        assert "users" in called(umbras, "list_users")["structuredContent"]


def _organization(
    product: RunningProduct, toy: RunningToy, email: str, name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make an organization; return what bootstrap printed and a grant that every gateway knows."""
    made = product.bootstrap(email, name)
    api = Api(product.web, made["api_key"])
    server = api.register("Toy", toy.url)
    auth = {"kind": "headers", "headers": {"Authorization": CANARY}}
    api.ask("PATCH", f"/servers/{server['id']}/", {"auth": auth})
    grant = api.grant(server, api.publish(server, POLICY), "agent")
    wait_until(lambda: all(gateway_status(grant) != 401 for _ in range(20)), "a gateway knows no such grant")
    return made, grant


def _delete(product: RunningProduct, made: dict[str, Any]) -> None:
    """Delete the organization as a browser does."""
    with httpx.Client(base_url=product.web, follow_redirects=True, timeout=60) as browser:
        _post(browser, "/accounts/login/", {"login": made["email"], "password": made["password"]})
        _post(browser, "/settings/delete/", {"typed": made["organization"]["name"]})


def _post(browser: httpx.Client, path: str, fields: dict[str, str]) -> None:
    page = browser.get(path)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token, page.text
    headers = {"Referer": str(page.url)}
    answer = browser.post(str(page.url), data={**fields, "csrfmiddlewaretoken": token[1]}, headers=headers)
    assert answer.status_code == 200, answer.text


@contextmanager
def _stream(grant: dict[str, Any]) -> Iterator[threading.Event]:
    """A call that streams for ten minutes; the event is set when its stream has ended."""
    begun, over = threading.Event(), threading.Event()

    def read() -> None:
        with (
            httpx.Client(timeout=120) as client,
            client.stream("POST", grant["gateway_url"], **_slow_call(grant["token"])) as answer,
        ):
            try:
                for _ in answer.iter_lines():
                    begun.set()
            except httpx.TransportError:
                pass  # being cut off counts as ended, too
        over.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert begun.wait(60), "the stream never began"
    assert not over.is_set()
    yield over
    reader.join(60)


def _slow_call(token: str) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": {"name": "agent", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": "p",
    }
    arguments = {"steps": 3_000, "seconds": 0.2}
    params = {"name": "slow_tool", "arguments": arguments, "_meta": meta}
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": REVISION,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "slow_tool",
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return {"headers": headers, "content": json.dumps(message).encode()}


def _kept(product: RunningProduct, made: dict[str, Any]) -> dict[str, bool]:
    """For each gateway, whether its disk holds anything of the organization except that it has ended."""
    organization = str(parse_public_id("org", made["organization"]["id"]))
    found = {}
    for number in range(1, GATEWAYS + 1):
        folders = list(product.data_dir.rglob(f"gw-{number}/**/{organization}"))
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        assert files, f"gw-{number} knows nothing of it at all"
        bundles = [path.read_text() for path in files if path.suffix == ".bundle"]
        found[f"gw-{number}"] = len(bundles) != 1 or '"servers":[]' not in bundles[0] or "v1." in bundles[0]
    return found
