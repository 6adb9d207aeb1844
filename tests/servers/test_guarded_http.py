"""A connection goes to an address that was checked, under the name that was asked for."""

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from common.egress import EgressPolicy, parse_networks
from servers.guarded_http import Resolver
from servers.probe import ScanFailed, ScanResult, scan
from tests.fixtures.servers.odd import Answer, Odd, Request, listing, odd_server, response, result
from tests.fixtures.servers.start import running_toy

LOOPBACK = EgressPolicy(allow=parse_networks("127.0.0.0/8"))
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
NO_TOOLS: Answer = listing(lambda request: result(request, '{"tools":[]}'))


def answers(*rounds: list[str]) -> Resolver:
    """A resolver that gives the next round of addresses each time it is asked, the last one for ever."""
    left = list(rounds)

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


def certificate(folder: Path, name: str, begins: datetime.datetime, ends: datetime.datetime) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


def server_tls(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def trusting(file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(file))


async def scan_secure(odd: Odd, file: Path, host: str = "tools.example") -> ScanResult:
    url = odd.url(host=host, scheme="https")
    return await scan(url, {}, LOOPBACK, resolver=answers(["127.0.0.1"]), tls=trusting(file))


async def test_host_and_sni_are_the_name_and_the_connection_goes_to_the_address(tmp_path: Path) -> None:
    file = certificate(tmp_path, "tools.example", NOW - DAY, NOW + 71.5 * DAY)
    async with odd_server(NO_TOOLS, server_tls(file)) as odd:
        found = await scan_secure(odd, file)
    assert set(odd.names) == {"tools.example"}
    assert {request.headers["host"] for request in odd.requests} == {f"tools.example:{odd.port}"}
    assert found.steps[1].title == "Secure connection"
    assert found.steps[1].detail == "TLS 1.3, certificate valid for 71 days"


@pytest.mark.parametrize(
    ("begins", "ends", "name", "message"),
    [
        (NOW - 9 * DAY, datetime.datetime(2025, 11, 3, tzinfo=datetime.UTC), "tools.example", "expired"),
        (NOW + DAY, NOW + 2 * DAY, "tools.example", "The certificate is not valid yet. Nothing was sent."),
        (NOW - DAY, NOW + DAY, "b.example", "The certificate is not for tools.example. Nothing was sent."),
    ],
    ids=["expired", "not yet", "another name"],
)
async def test_a_wrong_certificate_is_told_and_nothing_is_sent(
    tmp_path: Path, begins: datetime.datetime, ends: datetime.datetime, name: str, message: str
) -> None:
    file = certificate(tmp_path, name, min(begins, ends - DAY), ends)
    async with odd_server(NO_TOOLS, server_tls(file)) as odd:
        with pytest.raises(ScanFailed) as failed:
            await scan_secure(odd, file)
    if message == "expired":
        message = "The certificate expired on 3 Nov 2025. Nothing was sent."
    assert (failed.value.code, failed.value.message) == ("tls", message)
    assert odd.requests == []


async def test_a_certificate_nobody_vouches_for_is_told(tmp_path: Path) -> None:
    file = certificate(tmp_path, "tools.example", NOW - DAY, NOW + DAY)
    async with odd_server(NO_TOOLS, server_tls(file)) as odd:
        url = odd.url(host="tools.example", scheme="https")
        with pytest.raises(ScanFailed) as failed:
            await scan(url, {"Authorization": "x"}, LOOPBACK, resolver=answers(["127.0.0.1"]))
    assert failed.value.message == (
        "The certificate is not signed by an authority that we trust. Nothing was sent."
    )
    assert odd.requests == []


async def test_a_server_without_tls_behind_https_is_told() -> None:
    with running_toy() as toy, pytest.raises(ScanFailed) as failed:
        await scan(toy.url.replace("http:", "https:"), {}, LOOPBACK)
    assert failed.value.code == "tls"
    assert failed.value.hint == "Check the port, and whether the URL should begin with http://."


async def test_a_name_with_one_forbidden_address_is_refused_whole() -> None:
    async with odd_server(NO_TOOLS) as odd:
        with pytest.raises(ScanFailed) as failed:
            await scan(odd.url(host="a.example"), {}, LOOPBACK, resolver=answers(["127.0.0.1", "10.2.0.7"]))
    assert failed.value.message == "a.example is a private address (10.2.0.7)."
    assert odd.connections == 0


async def test_a_name_that_moves_into_a_private_network_after_the_first_look_is_refused() -> None:
    async def hang_up_after(request: Request, writer: object) -> None:
        writer.write(response("no", 400, "text/plain", connection="close"))  # type: ignore[attr-defined]
        writer.close()  # type: ignore[attr-defined]

    async with odd_server(hang_up_after) as odd:
        moving = answers(["127.0.0.1"], ["169.254.169.254"])
        with pytest.raises(ScanFailed) as failed:
            await scan(odd.url(host="a.example"), {}, LOOPBACK, resolver=moving)
    assert failed.value.code == "address_not_allowed"
    assert odd.connections == 1


async def test_the_next_address_is_tried_when_the_first_is_dead() -> None:
    async with odd_server(NO_TOOLS) as odd:
        url = odd.url(host="a.example")
        found = await scan(url, {}, LOOPBACK, resolver=answers(["127.0.0.2", "127.0.0.1"]))
    assert found.tools == ()


async def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with odd_server(NO_TOOLS) as odd:
        await scan(odd.url(), {}, LOOPBACK)
    assert odd.requests
