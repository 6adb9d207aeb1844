"""The MCP server of `make demo`: three tools for access keys that open nothing.

It is an upstream like any other: its own process, reached over HTTP, unaware of the product.
"""

import argparse
import json
import socket
from typing import Any, Literal, assert_never, cast, get_args

import mcp_types as types
import uvicorn
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

Context = ServerRequestContext[Any, Any]
ToolName = Literal["create_access_key", "list_access_keys", "delete_access_key"]

TEXT = {"type": "string", "minLength": 1, "maxLength": 64}


def _tool(
    name: ToolName,
    description: str,
    arguments: tuple[str, ...],
    *,
    reads: bool = False,
    destroys: bool = False,
) -> types.Tool:
    schema = {"type": "object", "properties": dict.fromkeys(arguments, TEXT), "required": list(arguments)}
    hints = types.ToolAnnotations(read_only_hint=reads, destructive_hint=destroys)
    return types.Tool(name=name, description=description, input_schema=schema, annotations=hints)


TOOLS = [
    _tool("create_access_key", "Create an access key for a user.", ("user_name",)),
    _tool("list_access_keys", "List the access keys of a user.", ("user_name",), reads=True),
    _tool("delete_access_key", "Delete an access key.", ("user_name", "access_key_id"), destroys=True),
]


class Keys:
    """The keys of each user, in memory only: every start of the demo begins with none."""

    def __init__(self) -> None:
        self._held: dict[str, list[str]] = {}
        self._made = 0

    def act(self, tool: ToolName, arguments: dict[str, str]) -> dict[str, object]:
        user = arguments["user_name"]
        held = self._held.setdefault(user, [])
        match tool:
            case "create_access_key":
                self._made += 1
                held.append(f"DEMO{self._made:08}")
                return {"user_name": user, "access_key_id": held[-1]}
            case "list_access_keys":
                return {"user_name": user, "access_key_ids": list(held)}
            case "delete_access_key":
                if arguments["access_key_id"] not in held:
                    return {"deleted": False}
                held.remove(arguments["access_key_id"])
                return {"deleted": True}
            case _:
                assert_never(tool)


def demo_server() -> Server[Any]:
    keys = Keys()

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=TOOLS)

    async def call_tool(_: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        if params.name not in get_args(ToolName):
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {params.name[:64]}.")
        definition = next(tool for tool in TOOLS if tool.name == params.name)
        given = params.arguments or {}
        missing = [
            name for name in definition.input_schema["required"] if not isinstance(given.get(name), str)
        ]
        if missing:
            return _answer({"error": f"{', '.join(missing)} must be given as text."}, failed=True)
        return _answer(keys.act(cast(ToolName, params.name), given))

    return Server(
        "demo-keys", version="1.0.0", title="Demo keys", on_list_tools=list_tools, on_call_tool=call_tool
    )


def _answer(content: dict[str, object], failed: bool = False) -> types.CallToolResult:
    text = types.TextContent(text=json.dumps(content))
    return types.CallToolResult(content=[text], structured_content=content, is_error=failed)


class _Announced(uvicorn.Server):
    """Prints where it listens as soon as it does: the process that started it waits for that line."""

    url = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"READY {self.url}", flush=True)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description="The MCP server of the demo.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    port = parser.parse_args().port
    listener = socket.create_server(("127.0.0.1", port))
    app = demo_server().streamable_http_app()
    server = _Announced(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
