"""Tools of 2026-07-28 whose work continues as a task of the extension io.modelcontextprotocol/tasks."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import Field

from tests.conformance.fixture_content import Json, asks_for, content, text
from tests.conformance.fixture_rounds import required

Context = ServerRequestContext[Any, Any]
EXTENSION: Final = "io.modelcontextprotocol/tasks"
_WORKS_SECONDS: Final = 0.3
_OVER: Final = frozenset({"completed", "failed", "cancelled"})


@dataclass(slots=True)
class Task:
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    status: str = "working"
    began: str = field(default_factory=lambda: _now())
    changed: str = field(default_factory=lambda: _now())
    asks: dict[str, Json] = field(default_factory=dict)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    ended: Json = field(default_factory=dict)
    running: asyncio.Task[None] | None = None

    def become(self, status: str, **ended: Json) -> None:
        if self.status not in _OVER:
            self.status, self.changed, self.ended = status, _now(), dict(ended)

    def told(self) -> Json:
        return {
            "taskId": self.id,
            "status": self.status,
            "createdAt": self.began,
            "lastUpdatedAt": self.changed,
            "ttlMs": 60_000,
            "pollIntervalMs": 100,
        }

    async def ask(self, **asks: Json) -> None:
        self.asks = dict(asks)
        self.status, self.changed = "input_required", _now()
        await self.answered.wait()
        self.status, self.changed = "working", _now()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TaskParams(types.RequestParams):
    task_id: str = Field(alias="taskId")


class UpdateParams(TaskParams):
    input_responses: dict[str, Any] = Field(default_factory=dict, alias="inputResponses")


Work = Callable[[Task, Json], Awaitable[Json]]
_TASKS: Final[dict[str, Task]] = {}


def declared(ctx: Context) -> bool:
    able = ctx.session.client_capabilities
    return able is not None and EXTENSION in (able.extensions or {})


def undeclared() -> MCPError:
    needed: Json = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    code = types.MISSING_REQUIRED_CLIENT_CAPABILITY
    return MCPError(code, "This needs a client that declares tasks.", needed)


async def _slowly(_: Task, given: Json) -> Json:
    await asyncio.sleep(float(given.get("seconds", 0)))
    return content(text(f"Computed {given.get('label', '')}."))


async def _failing(_: Task, __: Json) -> Json:
    await asyncio.sleep(_WORKS_SECONDS)
    return {**content(text("The job failed.")), "isError": True}


async def _broken(_: Task, __: Json) -> Json:
    await asyncio.sleep(_WORKS_SECONDS)
    raise MCPError(types.INTERNAL_ERROR, "The job broke.")


async def _confirming(task: Task, given: Json) -> Json:
    await task.ask(confirm=asks_for(f"Delete {given.get('filename', 'it')}?", "confirm"))
    return content(text("It was deleted."))


async def _asking_twice(task: Task, _: Json) -> Json:
    await task.ask(first=asks_for("The first?", "name"), second=asks_for("The second?", "name"))
    return content(text("Both were answered."))


async def _after_a_question(_: Task, given: Json) -> Json:
    await asyncio.sleep(_WORKS_SECONDS)
    return content(text(f"Hello, {given['user_name']}!"))


WORK: Final[dict[str, Work]] = {
    "slow_compute": _slowly,
    "failing_job": _failing,
    "protocol_error_job": _broken,
    "confirm_delete": _confirming,
    "multi_input": _asking_twice,
    "test_tool_with_task": _after_a_question,
}


async def called(ctx: Context, params: types.CallToolRequestParams) -> Json:
    given = dict(params.arguments or {})
    if not declared(ctx):
        if params.name != "slow_compute":
            raise undeclared()
        return await _slowly(Task(), given)
    if params.name == "test_tool_with_task":
        answer = dict(params.input_responses or {}).get("user_name")
        if not isinstance(answer, types.ElicitResult):
            return required({"user_name": asks_for("What is your name?", "name")})
        given["user_name"] = (answer.content or {}).get("name")
    task = Task()
    _TASKS[task.id] = task
    task.running = asyncio.create_task(_run(task, WORK[params.name], given))
    return {**task.told(), "resultType": "task"}


async def _run(task: Task, work: Work, given: Json) -> None:
    try:
        task.become("completed", result=await work(task, given))
    except MCPError as problem:
        task.become("failed", error={"code": problem.error.code, "message": problem.error.message})


def _known(ctx: Context, params: TaskParams) -> Task:
    if not declared(ctx):
        raise undeclared()
    if ctx.request is not None and ctx.request.headers.get("mcp-name") != params.task_id:
        raise MCPError(types.HEADER_MISMATCH, "Mcp-Name names another task.")
    task = _TASKS.get(params.task_id)
    if task is None:
        raise MCPError(types.INVALID_PARAMS, "There is no such task.")
    return task


async def get(ctx: Context, params: TaskParams) -> Json:
    task = _known(ctx, params)
    asked = {"inputRequests": task.asks} if task.status == "input_required" else {}
    return {**task.told(), **task.ended, **asked}


async def update(ctx: Context, params: UpdateParams) -> Json:
    task = _known(ctx, params)
    for key in params.input_responses:
        task.asks.pop(key, None)
    if not task.asks:
        task.answered.set()
    return {}


async def cancel(ctx: Context, params: TaskParams) -> Json:
    task = _known(ctx, params)
    task.become("cancelled")
    if task.running is not None:
        task.running.cancel()
    return {}
