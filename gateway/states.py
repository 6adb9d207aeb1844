"""`requestState`: what a client carries from one round of a call to the next, bound to that very call.

The server's own state is inside it. If the server sends none, the client gets one of ours all the same, so
that the next round of a call that was paid for is recognized. A state that was changed, or is brought to
another call, is refused.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.admitted import Admitted
from gateway.handles import Handles
from gateway.protocol import arguments
from gateway.protocol.jsonrpc import Request
from gateway.time_of_day import TimeOfDay

STATE_SECONDS: Final = 900


class State(msgspec.Struct, frozen=True, array_like=True):
    """`asks`: it is ours alone, made before the call was sent to have the client open an approval's page."""

    decision: str
    round: int
    expires_at: int
    agreed: str = ""
    asks: bool = False
    upstream: str | None = None

    @property
    def ticket(self) -> str:
        return f"{self.decision}:{self.round}"


_DECODER: Final = msgspec.json.Decoder(State)


@dataclass(frozen=True, slots=True)
class States:
    handles: Handles
    time_of_day: TimeOfDay

    def next_round(self, decision: str, *, round: int = 1, agreed: str = "", upstream: str | None) -> State:
        return State(decision, round, self._end(), agreed, False, upstream)

    def asking(self, decision: str) -> State:
        return State(decision, 0, self._end(), asks=True)

    def expired(self, state: State) -> bool:
        return self.time_of_day.now() >= state.expires_at

    def _end(self) -> int:
        return int(self.time_of_day.now()) + STATE_SECONDS

    def wrap(self, owner: Admitted, request: Request, state: State) -> str:
        wrapped = self.handles.wrap("state", owner, msgspec.json.encode(state), _call(request))
        return wrapped.decode("ascii")

    def unwrap(self, owner: Admitted, request: Request, wrapped: object) -> State | None:
        """None for anything that we did not make for exactly this call."""
        if not isinstance(wrapped, str) or not wrapped.isascii():
            return None
        text = self.handles.unwrap("state", owner, wrapped.encode("ascii"), _call(request))
        try:
            return None if text is None else _DECODER.decode(text)
        except msgspec.MsgspecError:
            return None  # made by another version of us


def _call(request: Request) -> tuple[str, ...]:
    """What identifies this call: its method, what it names, and its arguments by their value."""
    name = request.params.get("name", request.params.get("uri"))
    return (
        request.method,
        name if isinstance(name, str) else "",
        arguments.digest(request.params.get("arguments", {})),
    )
