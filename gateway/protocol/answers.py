"""Whether what a server sent is an answer at all, and to what."""

import json

import jiter

from gateway.protocol.jsonrpc import Id


class Nonsense(Exception):  # noqa: N818
    """The reason is for an agent to read; it quotes nothing of the answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_answer(body: bytes, expected: Id) -> None:
    """Raises Nonsense unless the body is the JSON-RPC answer to the request with this id."""
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


def looks_like_json(start: bytes) -> bool:
    return start.lstrip(b" \t\r\n")[:1] in (b"{", b"")


def _lenient(body: bytes) -> object:
    # Results pass untouched: half a surrogate pair or a NaN in them is between server and client.
    try:
        return jiter.from_json(body)
    except ValueError:
        pass
    try:
        # Not json.loads(body), which guesses encodings: what is looked for in these bytes is UTF-8.
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Nonsense("The server's answer is not JSON.") from None


def _same(given: object, expected: Id) -> bool:
    return isinstance(given, str) == isinstance(expected, str) and str(given) == str(expected)
