"""The envelope of one message: a request, a notification or an answer, and nothing in between."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias, final

import jiter
import msgspec

from gateway.protocol.strict_json import Json, NotStrict, parse_object

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_REVISION: Final = -32022

Id: TypeAlias = str | int | jiter.LosslessFloat


class Refused(Exception):  # noqa: N818
    """This message is answered with an error and never forwarded."""

    def __init__(
        self,
        code: int,
        reason: str,
        *,
        id: Id | None = None,
        status: int = 400,
        data: dict[str, object] | None = None,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.id = id
        self.status = status
        self.data = data


class Request(msgspec.Struct, frozen=True):
    """`meta` is the `_meta` of its parameters, as in a Notification; empty if there is none."""

    id: Id
    method: str
    params: dict[str, Json]
    meta: dict[str, Json]
    tree: dict[str, Json]


class Notification(msgspec.Struct, frozen=True):
    method: str
    params: dict[str, Json]
    meta: dict[str, Json]
    tree: dict[str, Json]


@final
class Answer(msgspec.Struct, frozen=True):
    """A client's answer to a request from the server. `meta` is the `_meta` of its result."""

    id: Id
    meta: dict[str, Json]
    tree: dict[str, Json]


Message: TypeAlias = Request | Notification | Answer

_ENVELOPE: Final = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
KNOWN_PARAMS: Final = frozenset(
    {
        "_meta",
        "argument",
        "arguments",
        "capabilities",
        "clientInfo",
        "context",
        "createdAt",
        "cursor",
        "data",
        "elicitationId",
        "lastUpdatedAt",
        "inputResponses",
        "level",
        "limit",
        "logger",
        "message",
        "name",
        "notifications",
        "pollInterval",
        "progress",
        "progressToken",
        "protocolVersion",
        "reason",
        "ref",
        "requestId",
        "requestState",
        "status",
        "statusMessage",
        "subscriptions",
        "task",
        "taskId",
        "total",
        "ttl",
        "uri",
    }
)
_META: Final = frozenset(
    {
        "progressToken",
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/clientInfo",
        "io.modelcontextprotocol/clientCapabilities",
        "io.modelcontextprotocol/logLevel",
        "io.modelcontextprotocol/related-task",
        "io.modelcontextprotocol/subscriptionId",
    }
)
_REF: Final = frozenset({"type", "name", "uri", "title"})
_NOTIFICATIONS: Final = frozenset(
    {"promptsListChanged", "resourceSubscriptions", "resourcesListChanged", "taskIds", "toolsListChanged"}
)
_WHOLE: Final = re.compile(r"-?[0-9]+")


def read(body: bytes) -> Message:
    """Raises Refused. The body is not parsed again: everything after this works on the returned message."""
    return read_and_written(body)[0]


def read_and_written(body: bytes) -> tuple[Message, bytes | None]:
    """As read(), with our own serialization of the message if parsing already made one."""
    try:
        tree, written = parse_object(body)
    except NotStrict as problem:
        code = PARSE_ERROR if problem.syntax else INVALID_REQUEST
        raise Refused(code, problem.reason) from None
    return message_of(tree), written


def message_of(tree: dict[str, Json]) -> Message:
    if not _ENVELOPE.issuperset(tree):
        _refuse_twins(tree, _ENVELOPE)
    identifier = tree.get("id")
    if type(identifier) is not str and type(identifier) is not int:
        identifier = _odd_id(tree)
    if tree.get("jsonrpc") != "2.0":
        raise Refused(INVALID_REQUEST, '`jsonrpc` must be "2.0".', id=identifier)
    if "method" in tree:
        return _call(tree, identifier)
    return _answer(tree, identifier)


def is_id(value: object) -> bool:
    if isinstance(value, str):
        return True
    if isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, jiter.LosslessFloat) and _WHOLE.fullmatch(str(value)) is not None


def same_id(one: object, other: object) -> bool:
    return type(one) is type(other) and str(one) == str(other)


def _odd_id(tree: Mapping[str, Json]) -> Id | None:
    if "id" not in tree:
        return None
    identifier = tree["id"]
    if not is_id(identifier):
        raise Refused(INVALID_REQUEST, "`id` must be a string or a whole number.")
    return identifier  # type: ignore[return-value]  # is_id() just said so


def _call(tree: dict[str, Json], identifier: Id | None) -> Request | Notification:
    method = tree["method"]
    if type(method) is not str:
        raise Refused(INVALID_REQUEST, "`method` must be a string.", id=identifier)
    if "result" in tree or "error" in tree:
        raise Refused(INVALID_REQUEST, "A message has either a `method` or an answer.", id=identifier)
    params = tree.get("params", {})
    if type(params) is not dict:
        raise Refused(INVALID_REQUEST, "`params` must be an object.", id=identifier)
    if not KNOWN_PARAMS.issuperset(params):
        _refuse_twins(params, KNOWN_PARAMS, identifier)
    meta = params.get("_meta")
    if type(meta) is not dict:
        meta = {}
    elif not _META.issuperset(meta):
        _refuse_twins(meta, _META, identifier)
    if "ref" in params:
        _refuse_twins_inside(params["ref"], _REF, identifier)
    if "notifications" in params:
        _refuse_twins_inside(params["notifications"], _NOTIFICATIONS, identifier)
    if identifier is None:
        return Notification(method, params, meta, tree)
    return Request(identifier, method, params, meta, tree)


def _answer(tree: dict[str, Json], identifier: Id | None) -> Answer:
    if ("result" in tree) == ("error" in tree):
        raise Refused(INVALID_REQUEST, "A message needs a `method`, a `result` or an `error`.", id=identifier)
    if identifier is None:
        raise Refused(INVALID_REQUEST, "An answer needs the `id` of what it answers.")
    result = tree.get("result")
    return Answer(identifier, _meta_in(result) if type(result) is dict else {}, tree)


def _meta_in(holder: Mapping[str, Json]) -> dict[str, Json]:
    meta = holder.get("_meta")
    return meta if type(meta) is dict else {}


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


_FOLDED: Final = {known: _folded(known) for known in (_ENVELOPE, KNOWN_PARAMS, _META, _REF, _NOTIFICATIONS)}


def _refuse_twins(members: Iterable[str], known: frozenset[str], identifier: Id | None = None) -> None:
    # Some servers ignore the case of keys, and the last one wins: `Name` beside `name` would be judged as
    # one tool and run as another. casefold() also maps U+017F to s and U+212A to k.
    for key in members:
        if key not in known and key.casefold() in _FOLDED[known]:
            raise Refused(INVALID_REQUEST, "A key differs from a known one only by case.", id=identifier)


def _refuse_twins_inside(value: Json, known: frozenset[str], identifier: Id | None) -> None:
    if type(value) is dict:
        _refuse_twins(value, known, identifier)
