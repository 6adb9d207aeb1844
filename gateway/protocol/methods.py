"""Every method of every protocol revision, and what we do with it. Any method not listed is refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

R2024_11 = "2024-11-05"
R2025_03 = "2025-03-26"
R2025_06 = "2025-06-18"
R2025_11 = "2025-11-25"
R2026_07 = "2026-07-28"
REVISIONS: Final = (R2024_11, R2025_03, R2025_06, R2025_11, R2026_07)
SESSIONS: Final = REVISIONS[:4]
MODERN: Final = REVISIONS[4:]


SUBSCRIBES: Final = "subscriptions/listen"


class Verdict(StrEnum):
    JUDGE_TOOL = "judge_tool"
    FILTER_TOOLS = "filter_tools"
    JUDGE_RESOURCE = "judge_resource"
    JUDGE_PROMPT = "judge_prompt"
    JUDGE_REFERENCE = "judge_reference"
    JUDGE_SUBSCRIPTIONS = "judge_subscriptions"
    JUDGE_TASK = "judge_task"
    PASS = "pass"  # noqa: S105
    REFUSE = "refuse"


# Up to Python 3.11, every access to an enum member is a function call.
PASS: Final = Verdict.PASS
REFUSE: Final = Verdict.REFUSE
FILTER_TOOLS: Final = Verdict.FILTER_TOOLS
JUDGE_TOOL: Final = Verdict.JUDGE_TOOL


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    verdict: Verdict
    revisions: tuple[str, ...]
    notification: bool = False


def _request(name: str, verdict: Verdict, revisions: Iterable[str] = REVISIONS) -> Method:
    return Method(name, verdict, tuple(revisions))


def _notification(name: str, verdict: Verdict, revisions: Iterable[str] = REVISIONS) -> Method:
    return Method(name, verdict, tuple(revisions), notification=True)


def _is_of_era(method: Method, *, modern: bool) -> bool:
    return any(revision in (MODERN if modern else SESSIONS) for revision in method.revisions)


_FROM_CLIENT: Final = (
    _request("initialize", Verdict.PASS, SESSIONS),
    _request("ping", Verdict.PASS, SESSIONS),
    _request("server/discover", Verdict.PASS, [R2026_07]),
    _request("logging/setLevel", Verdict.PASS, SESSIONS),
    _request("tools/list", Verdict.FILTER_TOOLS),
    _request("tools/call", Verdict.JUDGE_TOOL),
    _request("resources/list", Verdict.PASS),
    _request("resources/templates/list", Verdict.PASS),
    _request("resources/read", Verdict.JUDGE_RESOURCE),
    _request("resources/subscribe", Verdict.JUDGE_RESOURCE, SESSIONS),
    _request("resources/unsubscribe", Verdict.JUDGE_RESOURCE, SESSIONS),
    _request("prompts/list", Verdict.PASS),
    _request("prompts/get", Verdict.JUDGE_PROMPT),
    _request("completion/complete", Verdict.JUDGE_REFERENCE),
    _request(SUBSCRIBES, Verdict.JUDGE_SUBSCRIPTIONS, [R2026_07]),
    _notification("notifications/initialized", Verdict.PASS, SESSIONS),
    _notification("notifications/cancelled", Verdict.PASS),
    _notification("notifications/progress", Verdict.PASS, SESSIONS),
    _notification("notifications/roots/list_changed", Verdict.PASS, SESSIONS),
    # From 2025-11-25, and from the extension io.modelcontextprotocol/tasks to 2026-07-28.
    _request("tasks/get", Verdict.JUDGE_TASK, [R2025_11, R2026_07]),
    _request("tasks/cancel", Verdict.JUDGE_TASK, [R2025_11, R2026_07]),
    _request("tasks/result", Verdict.JUDGE_TASK, [R2025_11]),
    _request("tasks/update", Verdict.JUDGE_TASK, [R2026_07]),
    # A server lists all the tasks it has: it cannot say whose they are, and we do not know.
    _request("tasks/list", Verdict.REFUSE, [R2025_11]),
)
# Sent by servers: they pass on a server's streams, and are refused from a client.
_FROM_SERVER: Final = (
    _request("sampling/createMessage", Verdict.REFUSE),
    _request("roots/list", Verdict.REFUSE),
    _request("elicitation/create", Verdict.REFUSE, REVISIONS[2:]),
    _notification("notifications/progress", Verdict.REFUSE, MODERN),
    _notification("notifications/message", Verdict.REFUSE),
    _notification("notifications/resources/updated", Verdict.REFUSE),
    _notification("notifications/resources/list_changed", Verdict.REFUSE),
    _notification("notifications/tools/list_changed", Verdict.REFUSE),
    _notification("notifications/prompts/list_changed", Verdict.REFUSE),
    _notification("notifications/tasks/status", Verdict.REFUSE, [R2025_11]),
    _notification("notifications/tasks", Verdict.REFUSE, [R2026_07]),
    _notification("notifications/elicitation/complete", Verdict.REFUSE, [R2025_11]),
    _notification("notifications/subscriptions/acknowledged", Verdict.REFUSE, [R2026_07]),
)
TASK_METHODS: Final = frozenset(
    method.name for method in _FROM_CLIENT if method.verdict is Verdict.JUDGE_TASK
)
MODERN_TASK_METHODS: Final = frozenset(
    method.name
    for method in _FROM_CLIENT
    if method.verdict is Verdict.JUDGE_TASK and _is_of_era(method, modern=True)
)
METHODS: Final = (*_FROM_SERVER, *_FROM_CLIENT)


def _verdicts(*, notification: bool, modern: bool) -> dict[str, Verdict]:
    known = [method for method in METHODS if method.notification is notification]
    return {method.name: method.verdict for method in known if _is_of_era(method, modern=modern)}


_OF_REQUESTS: Final = {modern: _verdicts(notification=False, modern=modern) for modern in (False, True)}
_OF_NOTIFICATIONS: Final = {modern: _verdicts(notification=True, modern=modern) for modern in (False, True)}


def verdict_of(name: str, *, notification: bool, modern: bool) -> Verdict:
    """A request's method in a notification counts as unknown: nobody would see the answer."""
    verdicts = _OF_NOTIFICATIONS if notification else _OF_REQUESTS
    return verdicts[modern].get(name, REFUSE)
