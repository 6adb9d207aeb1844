"""A server of the index is known by its address, its package or the command that starts it, or not at all."""

from __future__ import annotations

import pytest

from catalog.facts import ServerFact
from catalog.ingest import Report, ingest
from catalog.models import CatalogServer
from catalog.naming import read_naming, starting
from catalog.selectors import known_server
from tests.roles import as_worker

pytestmark = pytest.mark.django_db

SERVERS = (
    ServerFact("one", "One", package="npm:@acme/one", repository="acme/mono", subfolder="src/one",
               endpoint="https://one.example.com/sse"),
    ServerFact("two", "Two", package="pypi:acme-two", repository="acme/mono", subfolder="src/two",
               endpoint="https://shared.example.com/two/mcp"),
    ServerFact("three", "Three", package="npm:three", repository="acme/three",
               endpoint="https://shared.example.com/three/mcp"),
    ServerFact("four", "Four", package="npm:same-name", repository="acme/four"),
    ServerFact("five", "Five", package="pypi:same-name", repository="acme/five"),
    ServerFact("six", "Six", package="pypi:acme.six", repository="acme/six"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def servers() -> None:
    with as_worker():
        ingest([(fact, ()) for fact in SERVERS], Report())


@pytest.mark.parametrize(
    ("typed", "slug", "by"),
    [
        ("https://one.example.com/sse", "one", "address"),
        ("  HTTPS://One.Example.COM:443/sse/?api_key=x#y ", "one", "address"),
        ("https://one.example.com/mcp", "one", "host"),
        ("https://one.example.com", "one", "host"),
        ("https://shared.example.com/two/mcp", "two", "address"),
        ("https://shared.example.com/two/sse", "two", "host"),
        ("@acme/one", "one", "package"),
        ("npm:@acme/one", "one", "package"),
        ("npx -y @acme/one@1.2.3 --flag", "one", "package"),
        ("https://www.npmjs.com/package/@acme/one", "one", "package"),
        ("uvx acme_two@latest", "two", "package"),
        ("uvx --from Acme.Two two --port 1", "two", "package"),
        ("pip install acme-two[cli]>=1", "two", "package"),
        ("acme-two", "two", "package"),
        ("https://pypi.org/project/acme-two/", "two", "package"),
        ("https://github.com/Acme/Three.git", "three", "repository"),
        ("https://github.com/acme/mono/tree/main/src/two", "two", "repository"),
        ("npm:same-name", "four", "package"),
        ("uvx Acme.Six@latest", "six", "package"),
        ("https://pypi.org/project/acme.six/", "six", "package"),
    ],
)
def test_a_server_is_known_by_what_people_paste(typed: str, slug: str, by: str) -> None:
    found = known_server(typed)
    assert found is not None
    assert (found.key, found.by) == (slug, by)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "same-name",
        "https://github.com/acme/mono",
        "https://shared.example.com/",
        "https://shared.example.com/four/mcp",
        "https://one.example.com.evil.example/sse",
        "https://user:pw@one.example.com/sse",
        "ftp://one.example.com/sse",
        "http://one.example.com/sse",
        "https://[::1",
        "https://one.example.com:99999/",
        "npm:%",
        "rm -rf @acme/one",
        "\x00",
        "@acme/one\n",
        "x" * 100_000,
        "https://%/" + "a" * 1990,
    ],
)
def test_what_may_be_another_or_is_no_name_is_not_known(typed: str) -> None:
    assert known_server(typed if typed != "@acme/one\n" else "@acme/one\nx") is None


def test_a_withdrawn_server_is_not_known() -> None:
    with as_worker():
        CatalogServer.objects.filter(slug="one").update(status=CatalogServer.Status.DELETED)
    assert known_server("@acme/one") is None


def test_a_key_in_an_address_is_never_looked_up() -> None:
    assert "secret" not in repr(read_naming("https://one.example.com/mcp?token=secret#secret"))


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("npm:@acme/one", "npx -y @acme/one"),
        ("pypi:awslabs.iam-mcp-server", "uvx awslabs.iam-mcp-server"),
        ("oci:docker.io/acme/one", ""),
        ("npm:--eval=1", ""),
        ("npm:one;rm -rf ~", ""),
        ("pypi:one\n", ""),
        ("pypi:$(id)", ""),
        ("", ""),
    ],
)
def test_only_a_name_of_its_registry_becomes_a_command(package: str, command: str) -> None:
    assert starting(package) == command
