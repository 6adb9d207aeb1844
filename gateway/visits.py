"""One request on its way through the gateway: who was let in, what was said, and what came of it so far."""

from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.admitted import Admitted
from gateway.held_stream import HeldStream
from gateway.http_exchange import Exchange
from gateway.http_messages import Reply
from gateway.open_requests import OpenRequest
from gateway.protocol.eras import NO_ERA, Era
from gateway.protocol.jsonrpc import Message, Request
from gateway.states import State
from gateway.upstream_answer import UpstreamAnswer

ACCEPTED: Final = Reply(202, b"Cache-Control: no-store\r\n")


class Visit(msgspec.Struct, eq=False):
    """One request of a grant. `message` is None if only a stream or the end of a session is asked for.

    `decision_id` is empty if nothing is judged. `subject` is what the log calls the tool: its name, or that
    of a resource or a prompt. `again`: what the client brought back from an earlier round of the same call;
    `agreed`: what a person agreed to. `tasks`: the server's ids of the tasks it is about, with their tools.
    `opens_pages`: the user is to be shown an approval's page. `asked`: the server's answer, once it was
    asked. `heavy`: judging it takes too long for an event loop. `lines`: the header lines that the server is
    sent for it. `written`: the message in our encoding, if that was made and nothing was put into it since.
    `awaited_seconds`: how long a person's answer was awaited.
    """

    exchange: Exchange
    admitted: Admitted
    opened: OpenRequest
    message: Message | None = None
    written: bytes | None = None
    era: Era = NO_ERA
    lines: bytes = b""
    lists_tools: bool = False
    standing: bool = False
    decision_id: str = ""
    subject: str | None = None
    arguments: object = None
    again: State | None = None
    agreed: str = ""
    opens_pages: bool = False
    tool_digest: str = ""
    awaited_seconds: float = 0.0
    heavy: bool = False
    tasks: dict[str, str] = msgspec.field(default_factory=dict)
    asked: UpstreamAnswer | None = None
    stream: HeldStream | None = None
    """The stream on which its answer is awaited, if it was posted for one of the 2024-11-05 transport."""
    held: HeldStream | None = None
    """The stream of that transport that this request itself opened."""

    def answer(self, reply: Reply) -> None:
        """Send the reply where the client listens for it."""
        if self.stream is None or not isinstance(self.message, Request):
            self.exchange.reply(reply)
            return
        self.stream.tell(reply.body)
        self.exchange.reply(replace(ACCEPTED, headers=ACCEPTED.headers + self.admitted.cors))

    def outlived(self) -> bool:
        """True if it was let in, or judged, by something that no longer holds."""
        opened, admitted = self.opened, self.admitted
        if opened.over or opened.admitted is admitted:
            return opened.over
        return self.decision_id != "" and opened.admitted.grant.policy_id != admitted.grant.policy_id
