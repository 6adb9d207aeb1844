from typing import Any

import msgspec
import pytest

from gateway_config.wire.messages import (
    Ack,
    CompletionEntry,
    DecisionEntry,
    DecisionLine,
    HeadsAnswer,
    KeptArgument,
    RecordBatch,
    Standing,
)

DECISION = DecisionEntry(
    sequence=1,
    id="d",
    at_ms=5,
    organization="o",
    server="s",
    grant="g",
    method="tools/call",
    tool="create_access_key",
    outcome="deny",
    code="limit_exceeded",
    rule="/tools/create_access_key/limits/0",
    retry_after_seconds=12,
)


def test_a_batch_says_of_each_record_what_it_is() -> None:
    batch = RecordBatch("gw-1", (DECISION, CompletionEntry(sequence=2, id="d", organization="o", total_us=3)))
    text = msgspec.json.encode(batch)
    assert b'"kind":"decision"' in text
    assert b'"kind":"completion"' in text
    assert msgspec.json.decode(text, type=RecordBatch) == batch


def test_what_a_record_does_not_have_is_left_out_and_read_as_nothing() -> None:
    text = msgspec.json.encode(DECISION)
    assert b"null" not in text
    assert b"approval" not in text
    assert msgspec.json.decode(text, type=DecisionEntry) == DECISION
    spelt_out = {**msgspec.json.decode(text), "approval": None, "reason": None, "kept": [], "added_us": 0}
    assert msgspec.convert(spelt_out, DecisionEntry) == DECISION


@pytest.mark.parametrize("full", [False, True], ids=["least", "all"])
def test_a_decision_in_two_parts_is_read_as_one(full: bool) -> None:
    values: dict[str, Any] = {
        "id": "d", "at_ms": 5, "organization": "o", "server": "s", "grant": "g", "method": "tools/call",
        "outcome": "deny", "rule": "/tools/a~1b",
    }  # fmt: skip
    if full:
        values |= {
            "sequence": 9, "tool": 'a/"b"\\\u2028', "code": "denied", "reason": "}\n{é", "policy": "p",
            "revision": 3, "argument_names": ("user", '"'), "argument_digest": "0" * 64, "added_us": 17,
            "retry_after_seconds": 12, "limit": 30, "remaining_micros": 0, "approval": "a",
            "kept": (KeptArgument("args.user", "value", '"x"'),),
        }  # fmt: skip
        assert values.keys() == set(DecisionEntry.__struct_fields__)
    standing = Standing(**{name: values[name] for name in Standing.__struct_fields__ if name in values})
    own = {name: values[name] for name in DecisionLine.__struct_fields__ if name in values}
    line = DecisionLine(**(own | {"server": standing.as_server()}))
    assert msgspec.json.decode(msgspec.json.encode(line), type=DecisionEntry) == DecisionEntry(**values)


def test_a_field_of_a_later_version_does_not_stop_the_news() -> None:
    answer = msgspec.json.decode(b'{"cursor": 4, "heads": [], "new": true}', type=HeadsAnswer)
    assert answer == HeadsAnswer(4)


@pytest.mark.parametrize("revision", ["0", "-1", "1.5", '"1"', str(2**63)])
def test_a_revision_is_a_whole_number_from_one(revision: str) -> None:
    text = f'{{"organization": "o", "revision": {revision}, "state": "applied"}}'
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Ack)
