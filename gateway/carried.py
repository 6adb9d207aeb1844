"""Server handles that clients carry: task ids, and the state of a call between its rounds.

They leave only wrapped, and are accepted only for the grant, the tool and the call they were made for. A
request that brings back anything else is refused, and nothing of it is forwarded.
"""

from collections import OrderedDict
from typing import Final

import msgspec

from gateway.admitted import Admitted
from gateway.handles import Handles
from gateway.protocol.jsonrpc import (
    INVALID_PARAMS,
    MISSING_CAPABILITY,
    Message,
    Refused,
    Request,
    same_id,
)
from gateway.protocol.methods import SUBSCRIBES, TASK_METHODS
from gateway.protocol.strict_json import Json, NotStrict, encode, parse
from gateway.protocol.tool_list import lowered
from gateway.states import States
from gateway.visits import Visit

RELATED_TASK: Final = "io.modelcontextprotocol/related-task"
TASKS: Final = "io.modelcontextprotocol/tasks"
_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
_NAME_TASKS: Final = frozenset({*TASK_METHODS, SUBSCRIBES})
_TASK_NEWS: Final = frozenset({"notifications/tasks", "notifications/tasks/status"})
_ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
_MOST_TASKS: Final = 10_000
_DROPPED: Final = b""
_TASK: Final = msgspec.json.Decoder(tuple[str, str])


def may_be_carried(seen: str) -> bool:
    """Return whether a server's message, as lowered() returns it, may hold such a handle.

    A handle hidden from this check leaves unwrapped, so a request that brings it back is refused.
    """
    return "taskid" in seen or "input_required" in seen


class Carried:
    def __init__(self, handles: Handles, states: States) -> None:
        self._handles = handles
        self._states = states
        self._tools = _TasksSeen(_MOST_TASKS)

    # From clients

    def take_in(self, visit: Visit, message: Message) -> None:
        """Put the server's own handles into the message. Raises Refused for one that is not this client's."""
        if type(message) is Request:
            if message.params.get("requestState") is not None:
                visit.written = None
                self._take_state(visit, message)
            if message.method in _NAME_TASKS:
                visit.written = None
                self._take_named(visit, message)
        if RELATED_TASK in message.meta:
            visit.written = None
            self._take_related(visit, message, message.meta[RELATED_TASK])

    def _take_named(self, visit: Visit, request: Request) -> None:
        if request.method == SUBSCRIBES:
            self._take_subscribed(visit, request)
            return
        if visit.era.modern:
            _check_declared(request)
        task = request.params["taskId"] = self._task(visit, request, request.params.get("taskId"))
        visit.subject = visit.tasks[task]

    def _take_state(self, visit: Visit, request: Request) -> None:
        state = self._states.unwrap(visit.admitted, request, request.params["requestState"])
        if state is None:
            raise Refused(INVALID_PARAMS, "This `requestState` does not belong to this call.", id=request.id)
        visit.again = state
        if state.upstream is None:
            del request.params["requestState"]
        else:
            request.params["requestState"] = state.upstream
        if state.asks:
            # We asked, not the server: it knows nothing of these responses.
            request.params.pop("inputResponses", None)

    def _take_subscribed(self, visit: Visit, request: Request) -> None:
        wanted = request.params.get("notifications")
        ids = wanted.get("taskIds") if isinstance(wanted, dict) else None
        if ids is None or not isinstance(wanted, dict):
            return
        if not isinstance(ids, list):
            raise Refused(INVALID_PARAMS, "`taskIds` must be a list.", id=request.id)
        wanted["taskIds"] = [self._task(visit, request, one) for one in ids]

    def _take_related(self, visit: Visit, message: Message, related: Json) -> None:
        if not isinstance(related, dict) or "taskId" not in related:
            return
        if isinstance(message, Request):
            related["taskId"] = self._task(visit, message, related["taskId"])
            return
        # An answer may be about one of the client's own tasks, which the server knows by the client's id.
        found = self._unwrapped(visit.admitted, related["taskId"])
        if found is not None:
            related["taskId"] = found[1]

    def _task(self, visit: Visit, request: Request, wrapped: Json) -> str:
        found = self._unwrapped(visit.admitted, wrapped)
        if found is None:
            raise Refused(INVALID_PARAMS, "There is no such task.", id=request.id)
        tool, task = found
        self._remember(visit, tool, task)
        return task

    def _unwrapped(self, owner: Admitted, wrapped: Json) -> tuple[str, str] | None:
        if not isinstance(wrapped, str) or not wrapped.isascii():
            return None
        handle = self._handles.unwrap("task", owner, wrapped.encode("ascii"))
        return None if handle is None else _TASK.decode(handle)

    # From servers

    def hand_out(self, visit: Visit, text: bytes, most: int) -> bytes | None:
        """Return the message with its handles wrapped; None if it may leave as it is, b"" if it must not."""
        if len(text) > most or not may_be_carried(lowered(text)):
            return None
        try:
            tree = parse(text, max_depth=None)
        except NotStrict:
            return None  # any handle in it is refused when it comes back unwrapped
        if not isinstance(tree, dict):
            return None
        return self._of_result(visit, tree) if "method" not in tree else self._of_server(visit, tree)

    def _of_result(self, visit: Visit, tree: dict[str, Json]) -> bytes | None:
        message, result = visit.message, tree.get("result")
        if not isinstance(result, dict):
            return None
        changed = self._hide_related(visit, result)
        if isinstance(message, Request) and same_id(tree.get("id"), message.id):
            if result.get("resultType") == "input_required":
                self._give_state(visit, message, result)
                changed = True
            changed = self._give_tasks(visit, message, result) or changed
        return encode(tree) if changed else None

    def _give_state(self, visit: Visit, request: Request, result: dict[str, Json]) -> None:
        upstream, earlier = result.pop("requestState", None), visit.again
        if not visit.decision_id or not (upstream is None or isinstance(upstream, str)):
            return
        number = 1 if earlier is None else earlier.round + 1
        state = self._states.next_round(
            visit.decision_id, round=number, agreed=visit.agreed, upstream=upstream
        )
        result["requestState"] = self._states.wrap(visit.admitted, request, state)

    def _give_tasks(self, visit: Visit, request: Request, result: dict[str, Json]) -> bool:
        if request.method == "tools/call":
            tool = visit.subject or ""
            begun = result.get("task") if "task" in request.params else None
            holders = [begun] if isinstance(begun, dict) else []
            holders += [result] if result.get("resultType") == "task" else []
            return sum(self._wrap(visit, holder, tool) for holder in holders) > 0
        return request.method in TASK_METHODS and self._wrap(visit, result)

    def _of_server(self, visit: Visit, tree: dict[str, Json]) -> bytes | None:
        params, method = tree.get("params"), tree.get("method")
        if not isinstance(params, dict):
            return None
        if method in _TASK_NEWS and "id" not in tree:
            # Only a worker where the task began or was asked about knows whose it is; others drop the news.
            return encode(tree) if self._wrap(visit, params) else _DROPPED
        changed = self._hide_related(visit, params)
        wanted = params.get("notifications") if method == _ACKNOWLEDGED else None
        if isinstance(wanted, dict) and isinstance(wanted.get("taskIds"), list):
            wanted["taskIds"] = self._known(visit, wanted["taskIds"])
            changed = True
        return encode(tree) if changed else None

    def _known(self, visit: Visit, tasks: Json) -> list[Json]:
        named = [task for task in tasks if isinstance(task, str)] if isinstance(tasks, list) else []
        tools = [(task, self._tool_of(visit, task)) for task in named]
        return [self._handle(visit.admitted, tool, task) for task, tool in tools if tool is not None]

    def _hide_related(self, visit: Visit, holder: dict[str, Json]) -> bool:
        """Wrap the id of the task a message belongs to, or remove it if the client may not know that task."""
        meta = holder.get("_meta")
        related = meta.get(RELATED_TASK) if isinstance(meta, dict) else None
        if not isinstance(meta, dict) or not isinstance(related, dict):
            return False
        if not self._wrap(visit, related):
            del meta[RELATED_TASK]
        return True

    def _wrap(self, visit: Visit, holder: dict[str, Json], tool: str | None = None) -> bool:
        task = holder.get("taskId")
        if not isinstance(task, str):
            return False
        known = tool if tool is not None else self._tool_of(visit, task)
        if known is None:
            return False
        if tool is not None:
            self._remember(visit, tool, task)
        holder["taskId"] = self._handle(visit.admitted, known, task)
        return True

    def _handle(self, owner: Admitted, tool: str, task: str) -> str:
        return self._handles.wrap("task", owner, msgspec.json.encode((tool, task))).decode("ascii")

    def _tool_of(self, visit: Visit, task: str) -> str | None:
        return visit.tasks.get(task) or self._tools.tool_of(visit.admitted, task)

    def _remember(self, visit: Visit, tool: str, task: str) -> None:
        visit.tasks[task] = tool
        self._tools.remember(visit.admitted, task, tool)


class _TasksSeen:
    """Tools of tasks handed out or asked about here. If full, the organization with most loses its oldest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._by_organization: dict[str, OrderedDict[tuple[str, str], str]] = {}

    def tool_of(self, owner: Admitted, task: str) -> str | None:
        mine = self._by_organization.get(owner.organization.organization)
        return None if mine is None else mine.get((owner.grant.id, task))

    def remember(self, owner: Admitted, task: str, tool: str) -> None:
        mine = self._by_organization.setdefault(owner.organization.organization, OrderedDict())
        self._count += (owner.grant.id, task) not in mine
        mine[owner.grant.id, task] = tool
        if self._count > self._most:
            max(self._by_organization.values(), key=len).popitem(last=False)
            self._count -= 1


def _check_declared(request: Request) -> None:
    """Refuse, as the server would, a client that has not declared that it understands tasks."""
    able = request.meta.get(_CAPABILITIES)
    extensions = able.get("extensions") if isinstance(able, dict) else None
    if not isinstance(extensions, dict) or TASKS not in extensions:
        raise Refused(
            MISSING_CAPABILITY,
            "This needs a client that declares tasks.",
            id=request.id,
            data={"requiredCapabilities": {"extensions": {TASKS: {}}}},
        )
