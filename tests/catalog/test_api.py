"""The catalogue over REST: open to everybody, bounded, and of one mind with the pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from catalog.ingest import Report
from tests.catalog.index import index

__all__ = ["index"]
BASE = "/api/v1/catalog"


def ask(path: str, body: Any = None) -> tuple[int, Any]:
    client = Client()
    if body is None:
        answer = client.get(BASE + path)
    else:
        answer = client.post(BASE + path, json.dumps(body), content_type="application/json")
    return answer.status_code, answer.json()


def test_servers_and_tools_are_there_for_anybody(index: Report) -> None:
    status, body = ask("/servers/")
    assert (status, len(body["results"]), body["after"]) == (200, 4, None)
    status, server = ask("/servers/awslabs-iam-mcp-server/")
    assert (status, server["tools"], server["by_class"]["Destructive"]) == (200, 29, 5)
    status, found = ask("/tools/?class=Destructive&vendor=AWS")
    assert status == 200 and found["found"] == 5
    assert {tool["class"] for tool in found["results"]} == {"Destructive"}


def test_lists_are_followed_by_next_and_previous_like_all_others(
    index: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.api.views._PAGE", 2)
    monkeypatch.setattr("catalog.search.PER_PAGE", 3)

    def walk(path: str | None, way: str) -> list[dict[str, Any]]:
        pages: list[dict[str, Any]] = []
        while path:
            pages.append(Client().get(path).json())
            path = pages[-1][way]
        return pages

    for path in (f"{BASE}/servers/", f"{BASE}/tools/?class=Read&vendor=AWS", f"{BASE}/search/?q=user"):
        pages = walk(path, "next")
        rows = [json.dumps(row, sort_keys=True) for page in pages for row in page["results"]]
        assert len(pages) > 1 and len(rows) == len(set(rows)), path
        assert pages[0]["previous"] is None
        back = walk(pages[-1]["previous"], "previous")
        assert [page["results"] for page in back] == [page["results"] for page in reversed(pages[:-1])], path


def test_one_question_finds_servers_and_tools_with_facets(index: Report) -> None:
    _, body = ask("/search/?q=access+key")
    assert {tool["tool"] for tool in body["results"]} >= {"create_access_key", "delete_access_key"}
    assert body["facets"]["class"]["Write"] >= 1
    _, body = ask("/search/?q=aws")
    assert [server["server"] for server in body["servers"]] == ["awslabs-iam-mcp-server"]
    for typed in ("createAccessKey", "create-access-key", "createaccesskey", "key+create", "acc+crea"):
        assert ask(f"/search/?q={typed}")[1]["results"][0]["tool"] == "create_access_key"


@pytest.mark.parametrize(
    "q", ["'", "a:* & !b", "\\", "\x00", "💥", "(((", "x" * 5000, "a' OR 1=1 --", "<script>"]
)
def test_no_question_breaks_the_search(index: Report, q: str) -> None:
    asked = {"q": q, "vendor": q, "class": q, "page": q}
    assert Client().get("/catalogue/", asked).status_code == 200
    answer = Client().get(BASE + "/search/", asked)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")


def test_a_tool_of_ones_own_is_classified_with_its_policy(index: Report) -> None:
    status, said = ask("/classify/", {"name": "delete_user", "params": [{"name": "id", "type": "string"}]})
    assert (status, said["class"], said["severity"]) == (200, "Destructive", "Critical")
    assert json.loads(said["policy"])["tools"]["delete_user"] == {"action": "require_approval"}
    assert said["policy_does"] == ["Every call waits for a person’s approval."]


def schema_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)[:1]}


ACTION = schema_of(action={"type": "string", "enum": ["get", "delete"]}, id={"type": "string"})
REFERRED = {**schema_of(op={"$ref": "#/$defs/Op"}), "$defs": {"Op": {"enum": ["get", "delete"]}}}


@pytest.mark.parametrize(
    ("more", "tool_class", "rule"),
    [
        ({}, "Write", "nothing.known"),
        ({"input_schema": {}}, "Write", "nothing.known"),
        ({"title": "Erase every widget"}, "Destructive", "title.verb"),
        ({"description": "Deletes a widget."}, "Destructive", "description.verb"),
        ({"input_schema": ACTION}, "Destructive", "params.choice"),
        ({"input_schema": REFERRED}, "Destructive", "params.choice"),
        ({"input_schema": schema_of(question={"type": "string"})}, "Read", "params.asked"),
        ({"params": [{"name": "question", "type": "string"}]}, "Read", "params.asked"),
        ({"input_schema": schema_of(colour={"enum": ["delete"]})}, "Write", "nothing.known"),
        ({"server": "zqx-mcp", "name": "zqx_methods"}, "Read", "name.answer"),
        ({"server": "other", "name": "zqx_methods"}, "Write", "nothing.known"),
        ({"annotations": {"destructiveHint": True}}, "Destructive", "nothing.known"),
    ],
)
def test_each_part_of_a_definition_is_heard(
    index: Report, more: dict[str, Any], tool_class: str, rule: str
) -> None:
    status, said = ask("/classify/", {"name": "zqx", **more})
    assert (status, said["class"], said["evidence"][0]["rule"]) == (200, tool_class, rule)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ([], ""),
        ({"name": ""}, "/name"),
        ({"name": "x" * 200}, "/name"),
        ({"name": "a", "params": [1]}, "/params/0"),
        ({"name": "a", "title": ["b"]}, "/title"),
        ({"name": "a", "title": "b" * 161}, "/title"),
        ({"name": "a", "server": {"name": "b"}}, "/server"),
        ({"name": "a", "server": "b" * 201}, "/server"),
        ({"name": "a", "input_schema": []}, "/input_schema"),
        ({"name": "a", "input_schema": "{}"}, "/input_schema"),
        ({"name": "a", "input_schema": None}, "/input_schema"),
        ({"name": "a", "input_schema": {}, "params": []}, "/params"),
    ],
)
def test_what_is_no_tool_is_a_problem_with_its_place(index: Report, body: Any, pointer: str) -> None:
    status, said = ask("/classify/", body)
    assert status == 400 and pointer in [one["pointer"] for one in said["errors"]], said


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": []},
        {"properties": {"action": None, "b": 7}, "required": "action"},
        {"properties": {"action": {"$ref": "#/properties/action"}}},
        {"properties": {"action": {"enum": ["de\x00lete", 7, {}]}}},
        {
            "properties": {
                f"action{n}": {"anyOf": [{"$ref": "#/properties/action0"}] * 60} for n in range(300)
            }
        },
    ],
)
def test_no_schema_is_too_odd_for_an_answer(index: Report, schema: dict[str, Any]) -> None:
    assert ask("/classify/", {"name": "zqx", "input_schema": schema})[0] == 200


def test_a_tool_of_the_index_and_the_same_one_asked_about_get_one_answer(index: Report) -> None:
    for tool in ask("/tools/?vendor=AWS")[1]["results"]:
        properties = {one["name"]: {"type": one["type"]} for one in tool["params"]}
        required = [one["name"] for one in tool["params"] if one["required"]]
        said = ask(
            "/classify/",
            {
                "name": tool["tool"],
                "title": tool["title"],
                "input_schema": {"properties": properties, "required": required},
                "annotations": tool["annotations"],
                "server": tool["server"],
            },
        )[1]
        assert (said["class"], said["severity"]) == (tool["class"], tool["severity"]), tool["tool"]


def test_it_only_answers_and_only_so_often(index: Report, settings: Any) -> None:
    assert Client().post(BASE + "/servers/", {}).status_code == 405
    assert Client().get(BASE + "/servers/nobody/").status_code == 404
    settings.API_REQUESTS_A_MINUTE_UNKNOWN = 2
    answers = [Client(REMOTE_ADDR="198.51.100.7").get(BASE + "/servers/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["Retry-After"]
