import msgspec
import pytest

from gateway_config.wire.approvals import ApprovalAsk, ApprovalClaim, ApprovalNews, ClaimAnswer, NewsAnswer

ID = "01930b6c-0000-7000-8000-00000000000a"
CLAIM = ApprovalClaim(
    decision_id=ID,
    organization=ID,
    server=ID,
    grant=ID,
    tool="drop_table",
    call_digest="a" * 64,
    rules_digest="b" * 64,
    tool_digest="c" * 64,
)
ASK = ApprovalAsk(
    **msgspec.structs.asdict(CLAIM),
    rule="/tools/drop_table/action",
    reason="Dropping needs a second pair of eyes.",
    arguments_json='{"name":"orders"}',
    at_ms=1,
    reserved_by=ID,
)


def test_what_is_said_is_what_is_heard() -> None:
    for said in (
        CLAIM,
        ASK,
        ClaimAnswer(state="pending", id=ID, url="https://x/approvals/apr_1/", seconds_left=9, reserved_by=ID),
        NewsAnswer(cursor=4, news=(ApprovalNews(id=ID, organization=ID, reserved_by=ID, state="declined"),)),
    ):
        assert msgspec.json.decode(msgspec.json.encode(said), type=type(said)) == said


def test_a_tool_the_server_does_not_list_has_no_digest() -> None:
    without = msgspec.structs.replace(CLAIM, tool_digest="")
    assert msgspec.json.decode(msgspec.json.encode(without), type=ApprovalClaim) == without


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("decision_id", "not-a-uuid"),
        ("organization", ID.upper()),
        ("grant", f"{ID}\n"),
        ("call_digest", "a" * 63),
        ("rules_digest", "A" * 64),
        ("rules_digest", ""),
        ("tool_digest", "x"),
        ("tool", "t" * 4097),
        ("tool", None),
    ],
)
def test_a_claim_that_names_nothing_is_refused(field: str, value: object) -> None:
    said = msgspec.json.encode({**msgspec.to_builtins(CLAIM), field: value})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(said, type=ApprovalClaim)


@pytest.mark.parametrize("at_ms", [-1, 253_402_300_800_000, 1.5, "1"])
def test_a_moment_that_is_none_is_refused(at_ms: object) -> None:
    said = msgspec.json.encode({**msgspec.to_builtins(ASK), "at_ms": at_ms})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(said, type=ApprovalAsk)
