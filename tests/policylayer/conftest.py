from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from django.test import Client as Browser

from policylayer.client import Client
from tests.cast import Cast

URL = "http://localhost"
SCOPES = (
    *("servers:write", "policies:write", "grants:write", "approvals:write", "logs:read"),
    *("organization:read", "members:read"),
)


class Inside(httpx.BaseTransport):
    """The control plane itself, in the test's own transaction, without a socket in between."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = Browser().generic(
            request.method,
            request.url.raw_path.decode(),
            request.read(),
            content_type=request.headers.get("Content-Type", ""),
            headers={
                name: value for name, value in request.headers.items() if name.lower() != "content-type"
            },
        )
        content = b"".join(answer) if answer.streaming else answer.content
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=content)


@pytest.fixture
def transport() -> httpx.BaseTransport:
    return Inside()


@pytest.fixture
def client(cast: Cast, api_key: Callable[..., str], transport: httpx.BaseTransport) -> Iterator[Client]:
    with Client(URL, api_key(cast.alice, *SCOPES), transport=transport) as made:
        yield made
