from __future__ import annotations

import argparse

from policylayer.client import Client
from policylayer.commands import ONE_A_LINE, Verbs, group, verb
from policylayer.login import secret
from policylayer.output import FAILED, FINE, USAGE, complain, listed, say
from policylayer.shapes import Server


def add_to(verbs: Verbs) -> None:
    servers = group(verbs, "servers", "register servers and see their tools")
    verb(servers, "list", _list, "the servers of the organization").add_argument(
        "--json", action="store_true", help=ONE_A_LINE
    )
    command = verb(servers, "add", _add, "register a server and list its tools")
    command.add_argument("name", metavar="NAME", help="as people will know it")
    command.add_argument(
        "url", metavar="URL", help="of its MCP endpoint, such as https://mcp.example.com/mcp"
    )
    command.add_argument(
        "--header",
        metavar="NAME",
        help="the server needs this header; its value is asked for, or read from standard input",
    )
    command = verb(servers, "scan", _scan, "connect again and list the tools")
    command.add_argument("server", metavar="SERVER", help="its name or id")
    command = verb(servers, "tools", _tools, "what agents could call there, worst first")
    command.add_argument("server", metavar="SERVER", help="its name or id")
    command.add_argument("--json", action="store_true", help=ONE_A_LINE)


def find(client: Client, wanted: str) -> Server | None:
    """Finds a server by name or id; says so if there is none."""
    for server in client.servers():
        if wanted in (server.name, server.id):
            return server
    complain(f"There is no server {wanted}. See: policylayer servers list")
    return None


def _list(client: Client, given: argparse.Namespace) -> int:
    none = "There is no server yet. Register one: policylayer servers add NAME URL"
    heads = ("NAME", "STATUS", "GATEWAY URL", "ID")
    found = list(client.servers())
    return listed(found, given.json, heads, lambda one: (one.name, one.status, one.gateway_url, one.id), none)


def _add(client: Client, given: argparse.Namespace) -> int:
    headers = {given.header: secret(f"{given.header}: ")} if given.header else None
    server = client.register_server(given.name, given.url, headers)
    say(f"{server.name} is registered. Agents reach it at {server.gateway_url}")
    return _scanned(client, server)


def _scan(client: Client, given: argparse.Namespace) -> int:
    server = find(client, given.server)
    return USAGE if server is None else _scanned(client, server)


def _scanned(client: Client, server: Server) -> int:
    scan = client.scan(server.id)
    for problem in scan.problems:
        complain(f"{problem.message} {problem.hint}".strip())
    if scan.problems:
        return FAILED
    say(f"{scan.tools} tools were found." if scan.tools != 1 else "1 tool was found.")
    return FINE


def _tools(client: Client, given: argparse.Namespace) -> int:
    server = find(client, given.server)
    if server is None:
        return USAGE
    none = f"No tools of {server.name} are known. Look again: policylayer servers scan {server.id}"
    heads = ("TOOL", "CLASS", "SEVERITY")
    found = list(client.tools(server.id))
    return listed(found, given.json, heads, lambda tool: (tool.name, tool.tool_class, tool.severity), none)
