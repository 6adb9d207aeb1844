"""A scan that brings nothing says why and what to do, and never what was typed as a secret."""

import asyncio
import json
import logging
import traceback
from collections.abc import Mapping

import pytest

from common.egress import EgressPolicy, parse_listeners, parse_networks
from servers.probe import ScanFailed, ScanLimits, scan
from tests.fixtures.servers.odd import Odd, Request, always, listing, odd_server, response, result

LIMITS = ScanLimits()
LOOPBACK = EgressPolicy(allow=parse_networks("127.0.0.0/8"))
PAGE = response("<!doctype html><title>Hello</title>", content_type="text/html; charset=utf-8")


async def failure(
    url: str,
    headers: Mapping[str, str] | None = None,
    egress: EgressPolicy = LOOPBACK,
    limits: ScanLimits = LIMITS,
) -> ScanFailed:
    with pytest.raises(ScanFailed) as failed:
        await scan(url, headers or {}, egress, limits=limits)
    return failed.value


async def test_a_web_page_is_not_an_mcp_server() -> None:
    async with odd_server(always(PAGE)) as odd:
        failed = await failure(odd.url("/"))
    assert failed.code == "not_mcp"
    assert failed.message == "127.0.0.1 answered, but not as an MCP server (it sent a web page)."
    assert failed.hint == "Is the path /mcp missing?"


async def test_a_closed_port_is_told_with_its_number() -> None:
    async with odd_server(always(PAGE)) as odd:
        url = odd.url()
    failed = await failure(url)
    assert failed.code == "refused"
    assert failed.message == f"Nothing answers at 127.0.0.1 on port {odd.port}."


async def test_a_name_nobody_knows_is_told() -> None:
    failed = await failure("https://no-such-server.invalid/mcp")
    assert (failed.code, failed.message) == (
        "name_not_found",
        "No address is known for no-such-server.invalid.",
    )


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "example.com/mcp",
        "https://",
        "https://user:pw@example.com/",
        "https://a:99999/",
        "",
    ],
)
async def test_what_is_no_url_of_a_server_is_told_without_a_connection(url: str) -> None:
    failed = await failure(url)
    assert failed.message == "This is not the URL of a server."
    assert "pw" not in failed.message + failed.hint


@pytest.mark.parametrize("status", [401, 403])
async def test_a_server_that_wants_a_credential_is_asked_once(status: int) -> None:
    challenge = 'Bearer resource_metadata="http://127.0.0.1:1/.well-known/x"'
    async with odd_server(always(response("no", status, "text/plain", www_authenticate=challenge))) as odd:
        failed = await failure(odd.url())
    assert (failed.code, failed.message) == (
        "unauthorized",
        f"It answered {status}: it wants a credential.",
    )
    assert [request.path for request in odd.requests] == ["/mcp"], "no OAuth discovery, no second try"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("location", ["/mcp/", "https://elsewhere.example/mcp/?token=abc#frag"])
async def test_a_redirect_is_told_and_not_followed(status: int, location: str) -> None:
    async with odd_server(always(response("", status, "text/plain", location=location))) as odd:
        failed = await failure(odd.url())
        target = odd.url("/mcp/") if location == "/mcp/" else "https://elsewhere.example/mcp/"
    assert failed.code == "redirected"
    assert failed.message == f"It redirects to {target}, and redirects are not followed."
    assert failed.hint == "If that is the server you mean, enter that URL."
    assert len(odd.requests) == 1


async def test_a_redirect_to_the_same_path_shows_no_key_that_is_in_it() -> None:
    key = "k7Jq0xR2vB9sLm4T"
    async with odd_server(always(response("", 308, location=f"/{key}/mcp/"))) as odd:
        failed = await failure(odd.url(f"/{key}/mcp"))
    assert failed.code == "redirected"
    assert failed.message == f"It redirects to {odd.url('/')}…, and redirects are not followed."


async def test_a_redirect_into_a_private_network_goes_nowhere() -> None:
    async with odd_server(
        always(response("", 307, location="http://169.254.169.254/latest/meta-data"))
    ) as odd:
        assert (await failure(odd.url())).code == "redirected"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_in_trouble_is_worth_another_try(status: int) -> None:
    async with odd_server(always(response("later", status, "text/plain"))) as odd:
        failed = await failure(odd.url())
    assert failed.message == f"127.0.0.1 answered, but not as an MCP server (it answered {status})."
    assert failed.hint == "Connect again in a minute; its log may say why."


async def test_an_answer_without_end_is_cut_off() -> None:
    async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for _ in range(200):
            writer.write(b": still here\n\n" * 1000)
            await writer.drain()

    async with odd_server(endless) as odd:
        failed = await failure(odd.url(), limits=ScanLimits(bytes=100_000))
    assert (failed.code, failed.message) == ("too_large", "It sent more than 64 MiB.")


async def test_a_huge_page_of_tools_is_cut_off() -> None:
    big = json.dumps({"tools": [{"name": "a", "inputSchema": {}, "description": "x" * 300_000}]})
    async with odd_server(listing(lambda request: result(request, big))) as odd:
        failed = await failure(odd.url(), limits=ScanLimits(bytes=100_000))
    assert failed.code == "too_large"


@pytest.mark.parametrize("many", ["[],", "{},", "0,", '{"":0},', "\n"])
async def test_a_page_of_more_values_than_are_kept_is_cut_off_before_it_is_read(many: str) -> None:
    values = (many * 10_001).rstrip(",") + ("0" if many == "\n" else "")
    big = f'{{"tools":[{{"name":"a","inputSchema":{{"x":[{values}]}}}}]}}'
    async with odd_server(listing(lambda request: result(request, big))) as odd:
        failed = await failure(odd.url(), limits=ScanLimits(values=10_000))
        found = await scan(odd.url(), {}, LOOPBACK, limits=ScanLimits(values=40_000))
    assert (failed.code, failed.message) == ("too_large", "It sent more than two million values.")
    assert [tool.name for tool in found.tools] == ["a"]


async def test_a_list_of_tools_that_turns_in_circles_ends() -> None:
    page = '{"tools":[],"nextCursor":"again"}'
    async with odd_server(listing(lambda request: result(request, page))) as odd:
        failed = await failure(odd.url())
    assert failed.code == "not_mcp"
    assert "its list of tools has no end" in failed.message


async def test_a_list_of_tools_with_ever_new_pages_ends() -> None:
    numbers = iter(range(1_000))

    def page(request: Request) -> bytes:
        return result(request, f'{{"tools":[],"nextCursor":"{next(numbers)}"}}')

    async with odd_server(listing(page)) as odd:
        failed = await failure(odd.url(), limits=ScanLimits(pages=10))
    assert (failed.code, failed.message) == ("too_large", "Its list of tools has more than 10 pages.")


async def test_a_silent_server_costs_no_more_than_the_time_allowed() -> None:
    async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    async with odd_server(silent) as odd:
        failed = await failure(odd.url(), limits=ScanLimits(seconds=1))
    assert (failed.code, failed.message) == ("timed_out", "127.0.0.1 did not answer within 1 s.")


async def test_a_server_that_hangs_up_is_told() -> None:
    async def hang_up(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with odd_server(hang_up) as odd:
        failed = await failure(odd.url())
    assert failed.code in ("refused", "not_mcp")


async def test_a_compressed_answer_is_not_unfolded() -> None:
    async with odd_server(always(response(b"\x1f\x8b\x08", content_encoding="gzip"))) as odd:
        failed = await failure(odd.url())
        assert odd.requests[0].headers["accept-encoding"] == "identity"
    assert failed.code == "not_mcp"


async def test_something_that_is_not_http_is_told() -> None:
    async def greet(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    async with odd_server(greet) as odd:
        failed = await failure(odd.url())
    assert failed.code == "not_mcp"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "0x7f.1"])
async def test_a_private_address_is_never_connected_to(host: str) -> None:
    async with odd_server(always(PAGE)) as odd:
        failed = await failure(odd.url(host=host), egress=EgressPolicy())
        assert odd.connections == 0
    assert failed.code == "address_not_allowed"
    assert failed.hint == "The gateway only connects to public ones; an operator can open a range."


async def test_the_sentence_names_the_address_behind_the_name() -> None:
    failed = await failure("http://localhost:9/mcp", egress=EgressPolicy())
    assert failed.message in (
        "localhost is a loopback address (127.0.0.1).",
        "localhost is a loopback address (::1).",
    )


async def test_our_own_listeners_are_refused_whatever_is_opened() -> None:
    async with odd_server(always(PAGE)) as odd:
        ours = EgressPolicy(LOOPBACK.allow, parse_listeners(f"127.0.0.1:{odd.port}"))
        failed = await failure(odd.url(), egress=ours)
        assert odd.connections == 0
    assert failed.code == "address_not_allowed"
    assert failed.message == f"127.0.0.1 on port {odd.port} is this product itself."


SECRET = "sk-live-4f9d2c"


async def echo_the_credential(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(response(f'{{"not json": {json.dumps(request.headers)}'))


async def slam(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(response("", 307, location=f"/mcp/{request.headers['authorization']}"))


@pytest.mark.parametrize(
    "server", [echo_the_credential, slam, always(PAGE)], ids=["echo", "redirect", "page"]
)
async def test_a_header_never_shows_up_in_a_message_or_a_log(
    server: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with odd_server(server) as odd:  # type: ignore[arg-type]
        failed = await failure(odd.url(), {"Authorization": SECRET})
    assert odd.requests[0].headers["authorization"] == SECRET
    told = "".join(traceback.format_exception(failed)) + failed.message + failed.hint + caplog.text
    assert SECRET not in told


@pytest.mark.parametrize("header", [{"Authorization": f"{SECRET}\r\nX-Other: 1"}, {"Bad Name": SECRET}])
async def test_a_header_that_cannot_be_sent_is_a_failure_like_any_other(header: dict[str, str]) -> None:
    async with odd_server(always(PAGE)) as odd:
        failed = await failure(odd.url(), header)
    assert SECRET not in failed.message + failed.hint
    assert not any("x-other" in request.headers for request in odd.requests)


async def test_what_describes_the_connection_is_ours_to_say() -> None:
    typed = {"Host": "internal.example", "Content-Length": "1", "X-Tenant": "acme"}
    odd: Odd
    async with odd_server(always(PAGE)) as odd:
        await failure(odd.url(), typed)
    assert odd.requests[0].headers["host"] == f"127.0.0.1:{odd.port}"
    assert odd.requests[0].headers["x-tenant"] == "acme"
