"""Checks that what a server sent is a JSON-RPC answer, and the one to this request."""

import json
from dataclasses import dataclass
from typing import Final

import jiter
import msgspec

from gateway.protocol.jsonrpc import Id
from gateway.protocol.tool_list import LONGEST_NAME, ListTooLong, may_hold_tools

_NOT_JSON: Final = "The server's answer is not JSON."


class Nonsense(Exception):  # noqa: N818
    """The reason is meant for an agent; it quotes nothing from the answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Result(msgspec.Struct):
    """The usual answer; only its id is decoded."""

    id: object
    result: msgspec.Raw


_RESULT: Final = msgspec.json.Decoder(_Result)


def check_answer(body: bytes, expected: Id) -> None:
    """Raises Nonsense unless the body is the JSON-RPC answer to the request with this id."""
    try:
        # Decoded to text first: in bytes, msgspec skips what it does not need without checking the UTF-8.
        given = _RESULT.decode(body if body.isascii() else body.decode()).id
    except (ValueError, RecursionError):
        given = None
    if type(given) is not type(expected) or given != expected:
        # Not the usual shape: the lenient check decides.
        _check_any_answer(body, expected)


def _check_any_answer(body: bytes, expected: Id) -> None:
    tree = _lenient(body)
    if not isinstance(tree, dict) or not ("result" in tree or "error" in tree):
        raise Nonsense("The server's answer is not a JSON-RPC answer.")
    given = tree.get("id")
    if given is None and "error" in tree:
        return  # a server that could not make out the id says so like this
    if not _same(given, expected):
        raise Nonsense("The server answered something other than this call.")


def is_answer_to(data: bytes, expected: Id) -> bool:
    try:
        check_answer(data, expected)
    except Nonsense:
        return False
    return True


def check_text(body: bytes) -> None:
    """Raises Nonsense unless it may be a JSON object, in the encoding that our filters search (or empty)."""
    if b"\0" in body or body.lstrip(b" \t\r\n")[:1] not in (b"{", b""):
        raise Nonsense(_NOT_JSON)


@dataclass(slots=True)
class LongAnswer:
    """Checks an answer that is too long to be read whole, piece by piece, before each piece is passed on."""

    _begun: bool = False
    _tail: bytes = b""

    def look(self, piece: bytes) -> None:
        """Raises Nonsense, or ListTooLong if the answer names `tools`."""
        if not self._begun:
            check_text(piece)
            self._begun = bool(piece.strip(b" \t\r\n"))
        if b"\0" in piece:
            raise Nonsense(_NOT_JSON)
        seen = self._tail + piece
        if may_hold_tools(seen):
            raise ListTooLong
        self._tail = seen[1 - LONGEST_NAME :]


def _lenient(body: bytes) -> object:
    # Results pass untouched: half a surrogate pair or a NaN in them is between server and client.
    try:
        return jiter.from_json(body)
    except ValueError:
        pass
    try:
        # Not json.loads(body), which guesses the encoding: our filters search these bytes as UTF-8.
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Nonsense(_NOT_JSON) from None


def _same(given: object, expected: Id) -> bool:
    return isinstance(given, str) == isinstance(expected, str) and str(given) == str(expected)
