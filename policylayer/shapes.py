"""The API's responses, as far as this client reads them. Fields it does not know are ignored."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Problem(Struct, frozen=True):
    """One thing that is wrong, with its place: in a body, in a URL, or in a policy."""

    pointer: str
    message: str
    code: str = ""
    line: int = 0
    column: int = 0
    severity: str = "error"
    parameter: str = ""


class Me(Struct, frozen=True):
    id: str
    email: str
    role: str
    organization: str
    scopes: list[str] | None = None


class Auth(Struct, frozen=True):
    kind: str


class Server(Struct, frozen=True):
    id: str
    name: str
    upstream_url: str
    gateway_url: str
    status: str
    auth: Auth


class ScanProblem(Struct, frozen=True):
    code: str
    message: str
    hint: str = ""


class Scan(Struct, frozen=True):
    status: str
    tools: int
    problems: list[ScanProblem]


class Tool(Struct, frozen=True, rename={"tool_class": "class"}):
    name: str
    server: str
    tool_class: str
    severity: str
    title: str = ""
    description: str = ""
    confidence: float | None = None
    input_schema: Any = None


class PolicySummary(Struct, frozen=True):
    id: str
    server: str
    name: str
    version: int
    published_revision: str | None = None


class Policy(Struct, frozen=True):
    """`document` is the draft's text; `version` is its ETag."""

    id: str
    server: str
    name: str
    document: str
    draft_problems: list[Problem]
    version: int
    published_revision: str | None = None


class Published(Struct, frozen=True):
    id: str
    number: int


class Rollout(Struct, frozen=True):
    state: str
    workers_total: int
    workers_applied: int
    behind: list[str]


class Publication(Struct, frozen=True):
    revision: Published
    rollout: Rollout


class Revision(Struct, frozen=True):
    id: str
    policy: str
    number: int
    note: str
    document: str
    rollout: Rollout | None = None


class TestResult(Struct, frozen=True):
    __test__ = False  # not one of pytest's

    name: str
    passed: bool
    sentence: str


class Tests(Struct, frozen=True):
    __test__ = False

    tests: list[dict[str, Any]]
    results: list[TestResult]
    etag: str = ""


class Change(Struct, frozen=True):
    kind: str
    direction: str
    title: str
    tools: list[str]
    sentence: str


class Diff(Struct, frozen=True):
    headline: list[str]
    looser: list[Change]
    tighter: list[Change]
    reworded: list[Change]

    @property
    def is_empty(self) -> bool:
        return not (self.looser or self.tighter or self.reworded)


class Grant(Struct, frozen=True):
    """`token` is only in the answers to issuing and rotating."""

    id: str
    label: str
    server: str
    state: str
    hint: str
    gateway_url: str
    policy: str | None = None
    token: str | None = None
    expires_at: str | None = None
    last_used_at: str | None = None


class Decision(Struct, frozen=True):
    id: str
    at: str
    server: str
    grant: str
    outcome: str
    tool: str
    rule: str
    code: str | None = None
    reason: str | None = None
    added_ms: float = 0.0


class Approval(Struct, frozen=True):
    id: str
    state: str
    server: str
    grant: str
    tool: str
    rule: str
    expires_at: str
    seconds_left: int
    arguments_json: str | None = None
    reason: str | None = None
    url: str = ""
