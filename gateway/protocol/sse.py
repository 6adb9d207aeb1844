"""A stream of server-sent events, passed on event by event as it arrives.

An event leaves as the bytes it came in, unless it carries an id (a handle, which is wrapped) or a list of
tools (which is filtered). Comments, which keep connections open, do not wait for the end of their event.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

# Atomic: a CR LF must not be tried again as a CR and an LF, which would end an event at every line.
_EVENT_END: Final = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_HAS_ID: Final = re.compile(rb"(?:\A|[\r\n])id(?:[:\r\n]|\Z)")
_IS_ENDPOINT: Final = re.compile(rb"(?:\A|[\r\n])event: ?endpoint(?:[\r\n]|\Z)")
_BOM: Final = b"\xef\xbb\xbf"


class EventTooLarge(Exception):  # noqa: N818
    pass


class EndpointEvent(Exception):  # noqa: N818
    """The stream of the 2024-11-05 transport, whose messages would be posted around us."""


@dataclass(slots=True)
class EventStream:
    wrap_id: Callable[[bytes], bytes]
    rewrite_data: Callable[[bytes], bytes | None]
    """Gets an event's data; None means it may leave as it came."""
    max_event: int
    resumable: bool = False
    last_event: bytes = b""
    _buffer: bytearray = field(default_factory=bytearray)
    _begun: bool = False
    _searched: int = 0

    def feed(self, chunk: bytes) -> bytes:
        """What may be passed on now."""
        self._buffer += chunk
        if not self._begun and not self._past_the_mark():
            return b""
        out = self._whole_events()
        if len(self._buffer) > self.max_event:
            raise EventTooLarge
        return out

    def _past_the_mark(self) -> bool:
        """Whether the stream's first bytes are known; a byte order mark among them is dropped."""
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        self._begun = True
        return True

    def _whole_events(self) -> bytes:
        out: list[bytes] = []
        start = 0
        while True:
            end = self._end_of_next(start)
            if end is None:
                break
            out.append(self._event(bytes(self._buffer[start:end])))
            start = end
        del self._buffer[:start]
        # The last two bytes may be the first half of an event's end.
        self._searched = max(0, len(self._buffer) - 2)
        return b"".join(out)

    def _end_of_next(self, start: int) -> int | None:
        first = bytes(self._buffer[start : start + 1])
        if first in (b"\r", b"\n"):
            return start + 1
        whole = _LINE_END if first == b":" else _EVENT_END
        # What was searched before ends where the buffer did, and only the first event began before that.
        found = whole.search(self._buffer, max(start, self._searched if start == 0 else 0))
        return found.end() if found else None

    def _event(self, event: bytes) -> bytes:
        if event[:1] in b":\r\n":
            return event
        if _IS_ENDPOINT.search(event):
            raise EndpointEvent
        if _HAS_ID.search(event):
            self.resumable = True
            event = b"".join(self._with_wrapped_id(line) for line in event.splitlines(keepends=True))
        data = _data_of(event)
        if data is None:
            return event
        rewritten = self.rewrite_data(data)
        self.last_event = data
        return event if rewritten is None else _with_data(event, rewritten)

    def _with_wrapped_id(self, line: bytes) -> bytes:
        bare = line.rstrip(b"\r\n")
        if bare != b"id" and not bare.startswith(b"id:"):
            return line
        value = bare[3:].removeprefix(b" ")
        # An empty id tells the client to forget the last one, and nothing else.
        return b"id: " + (self.wrap_id(value) if value else b"") + b"\n"


def _data_of(event: bytes) -> bytes | None:
    lines = [line for line in event.splitlines() if _is_data(line)]
    if not lines:
        return None
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def _with_data(event: bytes, data: bytes) -> bytes:
    kept = [line for line in event.splitlines() if line and not _is_data(line)]
    return b"\n".join([*kept, b"data: " + data, b"", b""])


def _is_data(line: bytes) -> bool:
    return line == b"data" or line.startswith(b"data:")
