"""A stream of server-sent events, passed on event by event as it arrives.

An event leaves as the bytes it came in, unless it carries an id (a handle, which is wrapped), a list of
tools (which is filtered) or the address of a 2024-11-05 stream (which is replaced). Comments, which keep
connections open, do not wait for the end of their event.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from gateway.protocol.tool_list import may_hold_tools

# Atomic: backtracking must not split a CR LF into CR and LF, which would end an event at every line.
_EVENT_END: Final = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_PAIRS: Final = (b"\n\n", b"\r\r", b"\n\r")
_LINE_END: Final = re.compile(rb"[\r\n]")
_LEADING: Final = re.compile(rb"(?:[\r\n]|:[^\r\n]*[\r\n])*+")
# The name first, then a look back at the line's start: a pattern that begins with a literal is found much
# faster, and every answer in JSON has an `id` in it.
_HAS_DATA: Final = re.compile(rb"data(?<![^\r\n]data)")
_ID_LINE: Final = re.compile(rb"id(?<![^\r\n]id)(?:: ?([^\r\n]*))?(?![^\r\n])")
_IS_ENDPOINT: Final = re.compile(rb"(?:\A|[\r\n])event: ?endpoint(?:[\r\n]|\Z)")
_BOM: Final = b"\xef\xbb\xbf"


class EventTooLarge(Exception):  # noqa: N818
    pass


class EndpointEvent(Exception):  # noqa: N818
    """The stream names an address for messages where none is expected: they would be posted past us."""


class EventStream(msgspec.Struct, eq=False):
    wrap_id: Callable[[bytes], bytes]
    rewrite_data: Callable[[bytes], bytes | None]
    """Gets the data of an event that `may_need_it`. None: the data stays as it is; empty: it is dropped."""
    max_event: int
    may_need_it: Callable[[bytes], bool] = may_hold_tools
    rewrite_endpoint: Callable[[bytes], bytes] | None = None
    """Gets the address that a 2024-11-05 stream names first; returns the one that the client is told."""
    on_data: Callable[[bytes], None] | None = None
    """Gets the data of every event, before any filtering."""
    resumable: bool = False
    _buffer: bytearray = msgspec.field(default_factory=bytearray)
    _begun: bool = False
    _searched: int = 0
    _last: bytes = b""
    _answered: bool = False
    _named: bool = False

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that may be passed on now."""
        if not self._buffer and chunk.endswith(b"\n\n") and (self._begun or not chunk.startswith(_BOM)):
            # The usual case: whole events, and nothing left waiting.
            self._begun = True
            return self._passed(chunk)
        self._buffer += chunk
        if not self._begun and not self._past_the_mark():
            return b""
        out = self._pass(self._end_of_last()) + self._pass(self._end_of_leading())
        self._searched = max(0, len(self._buffer) - 1)
        if len(self._buffer) > self.max_event:
            raise EventTooLarge
        return out

    @property
    def held(self) -> int:
        return len(self._buffer) + len(self._last)

    def may_hold(self, written_id: bytes, is_answer: Callable[[bytes], bool], most: int) -> bool:
        """Whether the answer with this id may be among the events. Only the last ones are parsed, if they do
        not look like it at a glance, and no more than `most`."""
        last = self._last
        if self._answered or len(last) > most:
            return self._answered or _may_answer(last)
        at = last.find(b'"id":' + written_id)
        if at >= 0 and last.startswith((b",", b"}"), at + 5 + len(written_id)) and _may_answer(last):
            return True
        return any(data is not None and is_answer(data) for data in map(_data_of, _events_of(last)))

    def _past_the_mark(self) -> bool:
        """True once the stream's first bytes are known; a byte order mark among them is dropped."""
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        self._begun = True
        return True

    def _end_of_last(self) -> int:
        """Where the last whole event ends: after two line ends in a row (CR LF counts as one)."""
        end = max(self._buffer.rfind(pair, self._searched) for pair in _PAIRS) + 2
        if end >= 2 and self._buffer[end - 1 : end + 1] == b"\r\n":
            end += 1
        return end if end >= 2 else 0

    def _end_of_leading(self) -> int:
        """Where the comments and empty lines before an unfinished event end."""
        begins = self._buffer[:1]
        if not begins or begins not in b":\r\n" or not _LINE_END.search(self._buffer, self._searched):
            return 0
        found = _LEADING.match(self._buffer)
        return found.end() if found else 0

    def _pass(self, end: int) -> bytes:
        if not end:
            return b""
        whole = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        return self._passed(whole)

    def _passed(self, whole: bytes) -> bytes:
        passed = self._looked_through(whole)
        if _HAS_DATA.search(whole):
            self._answered = self._answered or _may_answer(self._last)
            self._last = whole
        return passed

    def _looked_through(self, whole: bytes) -> bytes:
        """Most input holds nothing that must change, and is not examined event by event."""
        if whole.find(b"endpoint") >= 0 and _IS_ENDPOINT.search(whole):
            whole = b"".join(map(self._with_our_endpoint, _events_of(whole)))
        if whole.find(b"id") >= 0:
            whole = _ID_LINE.sub(self._with_wrapped_id, whole)
        if self.on_data is not None:
            self._tell(self.on_data, whole)
        return b"".join(map(self._filtered, _events_of(whole))) if self.may_need_it(whole) else whole

    def _with_our_endpoint(self, event: bytes) -> bytes:
        """Only the first event of a stream may name an address: a later one would lead the client astray."""
        data = _data_of(event)
        is_endpoint = _IS_ENDPOINT.search(event) is not None
        if is_endpoint:
            if data is None or self.rewrite_endpoint is None or self._named or self._last:
                raise EndpointEvent
            event = b"event: endpoint\ndata: " + self.rewrite_endpoint(data) + b"\n\n"
        self._named = self._named or data is not None
        return event

    def _tell(self, on_data: Callable[[bytes], None], whole: bytes) -> None:
        for event in _events_of(whole):
            data = _data_of(event)
            if data is not None:
                on_data(data)

    def _with_wrapped_id(self, line: re.Match[bytes]) -> bytes:
        given = line[1] or b""
        if b"\0" in given:
            return b":"  # as for a client, which has to ignore it
        # An empty id only tells the client to forget the last one.
        self.resumable = given != b""
        return b"id: " + (self.wrap_id(given) if given else b"")

    def _filtered(self, event: bytes) -> bytes:
        if not self.may_need_it(event):
            return event
        data = _data_of(event)
        rewritten = self.rewrite_data(data) if data is not None and self.may_need_it(data) else None
        beside = [line for line in event.splitlines() if line and not _is_data(line)]
        # Clients disagree on where a line ends: our comment may be data to some, so it must not hold a list.
        kept = [line for line in beside if not self.may_need_it(line)]
        if rewritten is None and kept == beside:
            return event
        return _written(kept, data if rewritten is None else rewritten)


def _events_of(whole: bytes) -> Iterator[bytes]:
    """Yields each event; comments and empty lines between two events are yielded as a piece of their own."""
    start = 0
    while start < len(whole):
        found = _LEADING.match(whole, start)
        if found is None or found.end() == start:
            found = _EVENT_END.search(whole, start)
        end = found.end() if found else len(whole)
        yield whole[start:end]
        start = end


def _data_of(event: bytes) -> bytes | None:
    lines = [line for line in event.splitlines() if _is_data(line)]
    if not lines:
        return None
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def _written(beside: list[bytes], data: bytes | None) -> bytes:
    told = [b"data: " + line for line in data.split(b"\n")] if data else []
    return b"\n".join([*beside, *told, b"", b""]) if beside or told else b""


def _may_answer(events: bytes) -> bool:
    return events.find(b'"result":') >= 0 or events.find(b'"error":') >= 0


def _is_data(line: bytes) -> bool:
    return line == b"data" or line.startswith(b"data:")
