"""A server with a fixed answer, and a reader for the failure that a client gets instead of one."""

from __future__ import annotations

from tests.gateway.raw_http import Answer, Conversation, Upstream

META = "policylayer/decision"


def failure(answer: Answer) -> tuple[str, str]:
    result = answer.json["result"]
    assert result["isError"] is True
    return result["_meta"][META]["code"], result["content"][0]["text"]


def answering(data: bytes, *, then_close: bool = False) -> Upstream:
    async def behave(conversation: Conversation) -> None:
        conversation.write(data)
        if then_close:
            conversation.writer.close()

    return Upstream(behave)


def http(body: bytes, *, status: str = "200 OK", kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


GOOD = b'{"jsonrpc":"2.0","id":1,"result":{}}'
