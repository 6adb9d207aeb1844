"""The messages between a gateway and its judge process: lengths and MessagePack, over a pair of sockets.

Only values of these shapes are built from what arrives: each side trusts the other no more than a stranger.
"""

import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Literal, TypeAlias, assert_never

import msgspec

from gateway import asked
from gateway.protocol import jsonrpc
from policies.language.decision import (
    AwaitApproval,
    Call,
    CounterKey,
    Decision,
    Outcome,
    PromptGet,
    ResourceRead,
    TakeQuota,
    ToolCall,
)
from policies.language.document import Scope

LENGTH: Final = struct.Struct("!I")


class Policy(msgspec.Struct, frozen=True):
    """The policy's canonical text, and the class of each tool as the gateway knows it."""

    text: str
    classes: dict[str, str | None]


class Thing(msgspec.Struct, frozen=True):
    kind: Literal["resource", "prompt"]
    name: str


class Question(msgspec.Struct, frozen=True):
    """`key` names the policy, which is sent with its first question; `forgotten` is the key of one to drop.

    `body`: the request of a tools/call. The call is parsed from it again, by the parser that read it before.
    """

    key: int
    policy: Policy | None = None
    forgotten: int | None = None
    body: bytes | None = None
    things: tuple[Thing, ...] = ()


class _Quota(msgspec.Struct, frozen=True):
    counter: str
    key_type: Literal["none", "text", "boolean", "integer", "decimal"]
    key: str
    scope: Scope
    window_seconds: int
    max: int
    cost_micros: int
    rule: str
    reason_when_full: str | None
    adds_up: str


class _Approval(msgspec.Struct, frozen=True):
    rule: str
    reason: str
    rule_when_approved: str


class _Decided(msgspec.Struct, frozen=True):
    outcome: Outcome
    code: str | None
    rule: str
    reason: str | None
    explained: str | None
    quotas: tuple[_Quota, ...]
    approval: _Approval | None


_QUESTION: Final = msgspec.msgpack.Decoder(Question)
_ANSWER: Final = msgspec.msgpack.Decoder(tuple[_Decided, ...])
_Key: TypeAlias = tuple[Literal["none", "text", "boolean", "integer", "decimal"], str]


def framed(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content


def question_text(question: Question) -> bytes:
    return msgspec.msgpack.encode(question)


def read_question(content: bytes) -> Question:
    return _QUESTION.decode(content)


def answer_text(decisions: Sequence[Decision]) -> bytes:
    return msgspec.msgpack.encode([_decided(decision) for decision in decisions])


def read_answer(content: bytes) -> tuple[Decision, ...]:
    return tuple(_decision(decided) for decided in _ANSWER.decode(content))


def question_of(
    key: int, calls: Sequence[Call], body: bytes, policy: Policy | None, forgotten: int | None
) -> Question:
    """`body` is the request's, sent where a tool is called."""
    things = tuple(_thing(call) for call in calls if not isinstance(call, ToolCall))
    return Question(key, policy, forgotten, None if things else body, things)


def calls_of(question: Question) -> list[Call]:
    if question.body is None:
        return [ResourceRead(one.name) if one.kind == "resource" else PromptGet(one.name)
                for one in question.things]  # fmt: skip
    message = jsonrpc.read(question.body)
    if not isinstance(message, jsonrpc.Request):
        raise ValueError("it calls nothing")
    return [asked.tool_call(message)]


def _thing(thing: ResourceRead | PromptGet) -> Thing:
    return Thing("resource", thing.uri) if isinstance(thing, ResourceRead) else Thing("prompt", thing.name)


def _decided(decision: Decision) -> _Decided:
    owed = decision.approval
    approval = None if owed is None else _Approval(owed.rule, owed.reason, owed.rule_when_approved)
    return _Decided(decision.outcome, decision.code, decision.rule, decision.reason, decision.explained,
                    tuple(map(_quota, decision.quotas)), approval)  # fmt: skip


def _quota(quota: TakeQuota) -> _Quota:
    return _Quota(quota.counter, *_key_text(quota.key), quota.scope, quota.window_seconds, quota.max,
                  quota.cost_micros, quota.rule, quota.reason_when_full, quota.adds_up)  # fmt: skip


def _decision(decided: _Decided) -> Decision:
    owed = decided.approval
    approval = None if owed is None else AwaitApproval(owed.rule, owed.reason, owed.rule_when_approved)
    return Decision(decided.outcome, decided.code, decided.rule, decided.reason,
                    tuple(map(_taken, decided.quotas)), approval, decided.explained)  # fmt: skip


def _taken(quota: _Quota) -> TakeQuota:
    return TakeQuota(quota.counter, _key(quota), quota.scope, quota.window_seconds, quota.max,
                     quota.cost_micros, quota.rule, quota.reason_when_full, quota.adds_up)  # fmt: skip


def _key_text(key: CounterKey) -> _Key:
    match key:
        case None:
            return "none", ""
        case bool():
            return "boolean", "true" if key else ""
        case str():
            return "text", key
        case int():
            return "integer", str(key)
        case Decimal():
            return "decimal", str(key)
        case _:
            assert_never(key)


def _key(quota: _Quota) -> CounterKey:
    match quota.key_type:
        case "none":
            return None
        case "boolean":
            return bool(quota.key)
        case "text":
            return quota.key
        case "integer":
            return int(quota.key)
        case "decimal":
            return Decimal(quota.key)
        case _:
            assert_never(quota.key_type)
