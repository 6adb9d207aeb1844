"""The whole security story as scripts: nothing is asked for after a refusal."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.admitted import Asker
from gateway.counters.base import Charge, Full, Reserved, Unavailable
from gateway.effects import (
    Forward,
    Forwarded,
    GiveBack,
    NotAnswered,
    NotRecorded,
    Record,
    Recorded,
    Reserve,
    Ruling,
)
from gateway.pipeline import access, tools_call
from policies.language.compile import CompiledPolicy, compile_policy
from policies.language.decision import PromptGet, ResourceRead, ToolCall
from policies.language.parse import parse_policy
from tests.gateway.play import play

DOCUMENT = """{
  "version": "1", "default": "deny", "hide": ["secret"],
  "tools": {
    "read": {},
    "delete": { "action": "deny", "reason": "Nothing is deleted here." },
    "keys": { "limits": [
      { "counter": "keys", "window": "minute", "max": 30, "scope": "grant" },
      { "counter": "all", "window": "hour", "max": 100, "scope": "organization", "on_deny": "Enough." } ] },
    "pay": { "action": "require_approval", "reason": "Carol looks at payments.",
      "limits": [ { "counter": "pay", "window": "day", "max": 5, "scope": "server" } ] },
    "wild*": {}
  },
  "resources": { "default": "deny", "allow": ["file:///public/*"] },
  "prompts": { "default": "allow", "deny": ["secret"] }
}"""


def compiled(document: str = DOCUMENT) -> CompiledPolicy:
    return compile_policy(parse_policy(document), ())


ALICE = Asker("acme", "files", "grant-1", compiled(), tools={"wild_one"})
KEYS = (
    Charge("acme", "grant", "grant-1", "keys", None, 60_000, 30, 1_000_000),
    Charge("acme", "organization", "acme", "all", None, 3_600_000, 100, 1_000_000),
)
PAY = (Charge("acme", "server", "files", "pay", None, 86_400_000, 5, 1_000_000),)


def allowed(rule: str) -> Record:
    return Record(Ruling(True, None, rule))


def refusal(code: str, rule: str, reason: str, **more: object) -> Ruling:
    return replace(Ruling(False, code, rule, reason), **more)


def test_an_allowed_call_is_recorded_before_it_is_sent_and_completed_after() -> None:
    play(
        tools_call(ALICE, ToolCall("read", {}), "d1"),
        (allowed("/tools/read"), Recorded()),
        (Forward(), Forwarded(200)),
        ends=Forwarded(200),
    )


def test_a_denied_call_is_recorded_and_nothing_else_is_asked() -> None:
    ruling = refusal("denied", "/tools/delete/action", "Nothing is deleted here.")
    ruling = replace(ruling, explained="Nothing is deleted here.")
    play(tools_call(ALICE, ToolCall("delete", {}), "d1"), (Record(ruling), Recorded()), ends=ruling)


def test_a_denial_stands_even_when_it_cannot_be_recorded() -> None:
    ruling = refusal("denied", "/tools/delete/action", "Nothing is deleted here.")
    ruling = replace(ruling, explained="Nothing is deleted here.")
    play(tools_call(ALICE, ToolCall("delete", {}), "d1"), (Record(ruling), NotRecorded()), ends=ruling)


def test_an_allowed_call_that_cannot_be_recorded_is_not_sent() -> None:
    ruling = refusal(
        "record_unavailable",
        "/tools/read",
        "The gateway cannot write its log now, so it sends no calls; try again later.",
    )
    play(
        tools_call(ALICE, ToolCall("read", {}), "d1"),
        (allowed("/tools/read"), NotRecorded()),
        (Record(ruling), NotRecorded()),
        ends=ruling,
    )


def test_what_a_call_spent_is_given_back_when_it_cannot_be_recorded() -> None:
    ruling = refusal(
        "record_unavailable",
        "/tools/keys",
        "The gateway cannot write its log now, so it sends no calls; try again later.",
    )
    play(
        tools_call(ALICE, ToolCall("keys", {}), "d1"),
        (Reserve(KEYS), Reserved()),
        (allowed("/tools/keys"), NotRecorded()),
        (GiveBack("d1"), None),
        (Record(ruling), NotRecorded()),
        ends=ruling,
    )


def test_all_limits_are_reserved_at_once_before_anything_is_sent() -> None:
    play(
        tools_call(ALICE, ToolCall("keys", {}), "d1"),
        (Reserve(KEYS), Reserved()),
        (allowed("/tools/keys"), Recorded()),
        (Forward(), Forwarded(200)),
        ends=Forwarded(200),
    )


def test_a_call_over_its_limit_never_reaches_the_server() -> None:
    ruling = refusal(
        "limit_exceeded",
        "/tools/keys/limits/0",
        "keys has reached a limit; try again in 12 s.",
        explained="keys is limited to 30 calls per minute; try again in 12 s.",
        retry_after_seconds=12,
        limit=30,
    )
    play(
        tools_call(ALICE, ToolCall("keys", {}), "d1"),
        (Reserve(KEYS), Full(0, 12)),
        (Record(ruling), Recorded()),
        ends=ruling,
    )


def test_the_limit_that_is_full_is_the_one_that_is_named() -> None:
    ruling = refusal(
        "limit_exceeded", "/tools/keys/limits/1", "Enough.", explained="Enough.", limit=100
    )  # fmt: skip
    play(
        tools_call(ALICE, ToolCall("keys", {}), "d1"),
        (Reserve(KEYS), Full(1, None)),
        (Record(ruling), Recorded()),
        ends=ruling,
    )


def test_a_limiter_that_does_not_answer_denies() -> None:
    ruling = refusal(
        "limiter_unavailable",
        "/tools/keys/limits/0",
        "The limits of keys cannot be checked now; try again.",
    )
    play(
        tools_call(ALICE, ToolCall("keys", {}), "d1"),
        (Reserve(KEYS), Unavailable()),
        (Record(ruling), Recorded()),
        ends=ruling,
    )


def test_a_call_of_which_no_byte_was_sent_is_given_back() -> None:
    failure = NotAnswered("upstream_unreachable", "The gateway could not connect to the server.", sent=False)
    play(
        tools_call(ALICE, ToolCall("keys", {}), "d1"),
        (Reserve(KEYS), Reserved()),
        (allowed("/tools/keys"), Recorded()),
        (Forward(), failure),
        (GiveBack("d1"), None),
        ends=failure,
    )


@pytest.mark.parametrize("code", ["upstream_timeout", "upstream_invalid", "upstream_refused_credentials"])
def test_a_call_that_was_sent_stays_spent_whatever_became_of_it(code: str) -> None:
    failure = NotAnswered(code, "It went wrong.", sent=True, status=500)
    play(
        tools_call(ALICE, ToolCall("keys", {}), "d1"),
        (Reserve(KEYS), Reserved()),
        (allowed("/tools/keys"), Recorded()),
        (Forward(), failure),
        ends=failure,
    )


@pytest.mark.parametrize(
    ("asker", "tool", "code", "rule"),
    [
        (replace(ALICE, compiled=None), "read", "no_policy", "(no policy)"),
        (ALICE, "secret", "hidden", "(hidden)"),
        (ALICE, "unknown", "default_deny", "(default deny)"),
        (replace(ALICE, tools=()), "secret", "hidden", "(hidden)"),
        (replace(ALICE, tools=()), "wild_one", "not_listed", "(not listed)"),
    ],
)
def test_a_tool_that_is_not_there_is_told_apart_in_the_log(
    asker: Asker, tool: str, code: str, rule: str
) -> None:
    pipeline = tools_call(asker, ToolCall(tool, {}), "d1")
    recorded = next(pipeline)
    assert isinstance(recorded, Record)
    assert (recorded.ruling.code, recorded.ruling.rule) == (code, rule)


def test_an_exact_entry_makes_up_for_a_tool_the_scan_has_not_seen() -> None:
    asker = replace(ALICE, tools=())
    assert next(tools_call(asker, ToolCall("read", {}), "d1")) == allowed("/tools/read")


def test_an_unlisted_tool_is_not_listed_even_where_its_arguments_would_deny_it() -> None:
    asker = replace(ALICE, tools=())
    asked = next(tools_call(asker, ToolCall("wild_one", []), "d1"))
    assert isinstance(asked, Record)
    assert asked.ruling.code == "not_listed"


READS = Asker("acme", "files", "grant-1", compiled("""{
  "version": "1", "default": "allow", "tools": {
    "copy": {
      "deny_if": [
        { "conditions": [ { "path": "args.from.path", "op": "starts_with", "value": "/etc" } ] },
        { "conditions": [ { "path": "args.to[*].path", "op": "starts_with", "value": "/etc" } ] } ],
      "limits": [ { "counter": "copies", "window": "day", "max": 5, "scope": "grant",
                    "key": "args.task", "increment_from": "args.size" } ] },
    "ask": { "action": "require_approval",
      "deny_if": [ { "conditions": [ { "path": "args.key", "op": "eq", "value": 1 } ] } ] } } }"""),
    tools={"copy", "ask"})  # fmt: skip


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("copy", {"task": "a", "size": 1, "From": {"path": "/etc"}}),
        ("copy", {"task": "a", "size": 1, "from": {"path": "/home", "PATH": "/etc"}}),
        ("copy", {"task": "a", "size": 1, "from": {"Path": "/etc"}}),
        ("copy", {"task": "a", "size": 1, "to": [{"path": "/home"}, {"pATH": "/etc"}]}),
        ("copy", {"task": "a", "size": 1, "Size": 0}),
        ("copy", {"task": "a", "size": 1, "ta\u017fk": "b"}),
        ("ask", {"\u212aey": 1}),
        ("ask", {"__proto__": {"key": 1}}),
        ("copy", {"task": "a", "size": 1, "from": {"__proto__": {"path": "/etc"}}}),
    ],
)
def test_a_name_that_a_server_may_take_for_one_that_a_rule_reads_is_denied(
    tool: str, arguments: dict[str, object]
) -> None:
    told = "Some servers take an argument of this call for another one, which a rule reads"
    ruling = refusal("undecidable", f"/tools/{tool}", f"{told}: its name differs by case, or is __proto__.")
    play(tools_call(READS, ToolCall(tool, arguments), "d1"), (Record(ruling), Recorded()), ends=ruling)


@pytest.mark.parametrize(
    "arguments",
    [
        {"task": "a", "size": 1, "Other": {"path": "/etc"}, "other": {"Path": "/etc"}},
        {"task": "a", "size": 1, "from": {"path": "/home", "note": {"Path": 1, "__proto__": {}}}, "to": []},
    ],
)
def test_names_that_no_rule_reads_may_be_spelt_in_any_way(arguments: dict[str, object]) -> None:
    charge = Charge("acme", "grant", "grant-1", "copies", "a", 86_400_000, 5, 1_000_000)
    play(
        tools_call(READS, ToolCall("copy", arguments), "d1"),
        (Reserve((charge,)), Reserved()),
        (allowed("/tools/copy"), Recorded()),
        (Forward(), Forwarded(200)),
        ends=Forwarded(200),
    )


def test_arguments_that_are_no_object_are_malformed() -> None:
    asked = next(tools_call(ALICE, ToolCall("read", None), "d1"))
    assert isinstance(asked, Record)
    assert (asked.ruling.code, asked.ruling.rule) == ("malformed", "(malformed)")


def test_a_configuration_that_is_too_old_denies_what_the_policy_allows() -> None:
    stale = replace(ALICE, lease_over=True)
    for pipeline in (
        tools_call(stale, ToolCall("read", {}), "d1"),
        access(stale, [ResourceRead("file:///public/a")]),
    ):
        asked = next(pipeline)
        assert isinstance(asked, Record)
        assert asked.ruling.code == "configuration_expired"


def test_an_allowed_resource_is_recorded_and_read() -> None:
    play(
        access(ALICE, [ResourceRead("file:///public/a")]),
        (allowed("/resources/allow/0"), Recorded()),
        (Forward(), Forwarded(200)),
        ends=Forwarded(200),
    )


def test_one_denied_resource_among_many_denies_them_all() -> None:
    pipeline = access(ALICE, [ResourceRead("file:///public/a"), ResourceRead("file:///etc/passwd")])
    asked = next(pipeline)
    assert isinstance(asked, Record)
    assert (asked.ruling.code, asked.ruling.rule) == ("default_deny", "/resources/default")


BUT_KEYS = Asker("acme", "files", "grant-1", compiled("""{ "version": "1", "default": "allow",
  "resources": { "default": "allow", "deny": [
    "file:///keys/*", "https://keys.example*", "https://one.example/", "http://[::1]/*", "http://127.0.0.1/*",
    "notes://h/my%20notes", "notes://h/caf\u00e9", "notes://h/a/b"] } }"""))  # fmt: skip


@pytest.mark.parametrize(
    "uri",
    ["FILE:///keys/a", "file:///%6Beys/a", "file:///ke%79s/a", "https://Keys.example/a", "file:///key\ts/a",
     " file:///keys/a", "https://KEYS.example", "file:/keys/a", "file:keys/a", "file://localhost/keys/a",
     "file:////keys/a", "file:///x//keys/a", "file://LocalHost/keys/a", "FILE:/keys/a",
     "https:keys.example/a", "https:/keys.example/a", "https:///keys.example/a", "https://one.example:443/", "https://one.example:/",
     "https://one.example:0443/", "https://\uff4fne.example/", "https://o\u00adne.example/",
     "https://%6fne.example/", "https://alice@one.example/", "https://one.example./", "https://one.example",
     "http://127.1/a", "http://0x7f.0.0.1/a", "http://2130706433/a", "http://[0::1]/a", "HTTP://127.0.0.1/a",
     "notes://h/my notes", "notes://h/My%20Notes", "notes://h/caf%c3%a9", "notes://h/a%2Fb", "notes://h:/x",
     "notes://h:080/x", "notes://h/" + 16_384 * "a"],
)  # fmt: skip
def test_a_resource_whose_uri_a_server_may_read_as_one_that_is_denied_is_denied(uri: str) -> None:
    asked = next(access(BUT_KEYS, [ResourceRead(uri)]))
    assert isinstance(asked, Record)
    assert (asked.ruling.allowed, asked.ruling.code) == (False, "undecidable")
    # Nothing is denied by its name here, so that no spelling evades anything.
    assert next(access(replace(ALICE, compiled=compiled('{"version": "1", "default": "allow"}')),
                       [ResourceRead(uri)])) == allowed("(default allow)")  # fmt: skip


@pytest.mark.parametrize("dots", [".\t.", "..\n", ".\r.", "%2\te.", ".. ", "..\x00"])
def test_a_resource_is_not_read_beyond_those_allowed_by_what_servers_leave_out_of_its_uri(dots: str) -> None:
    rest = "" if dots.endswith(" ") else "/keys/a"
    asked = next(access(ALICE, [ResourceRead(f"file:///public/{dots}{rest}")]))
    assert isinstance(asked, Record)
    assert (asked.ruling.allowed, asked.ruling.code) == (False, "undecidable")


@pytest.mark.parametrize(
    "uri",
    ["file:///my%20notes/a", "file:///my notes/a", "github://Acme/Repo", "https://acme.example/Keys?Q=%2Fa",
     "no-scheme", "urn:ISBN:1", "https://acme.example", "https://Acme.example:8443/a", "http://10.0.0.1:8080/",
     "http://[::2]:81/a", "http://10.0.0.1/%6Bx", "file://share/a", "file:///a?u=https://b//c", "notes://h:80/x",
     "notes:/h", "notes://%zz", "notes://", "x"],
)  # fmt: skip
def test_a_resource_with_one_spelling_is_read_beside_denied_ones(uri: str) -> None:
    assert next(access(BUT_KEYS, [ResourceRead(uri)])) == allowed("/resources/default")


def test_a_denied_prompt_is_not_fetched() -> None:
    asked = next(access(ALICE, [PromptGet("secret")]))
    assert isinstance(asked, Record)
    assert (asked.ruling.code, asked.ruling.rule) == ("denied", "/prompts/deny/0")
