"""The documents agree with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.env import SETTINGS
from policies.language.reference_codes import DECISIONS
from policies.language.sentences import wire_code
from policies.snippets import snippets
from tests.contracts.pages import settings_page

ROOT = Path(__file__).resolve().parents[2]
OURS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "THREAT_MODEL.md")
PAGES = [
    *(ROOT / name for name in OURS),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "deploy" / "RUNBOOK.md",
]


def test_the_table_of_settings_is_the_one_the_code_makes() -> None:
    """To regenerate it: `python -m tests.contracts.pages`."""
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page()
    assert len(SETTINGS) >= 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", page.read_text()))
    named |= set(re.findall(r"^make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets


def test_the_policies_of_the_readme_are_good() -> None:
    from policies.language.parse import find_problems

    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        assert find_problems(block) == ()


def test_every_promise_has_its_tests_and_they_exist() -> None:
    page = (ROOT / "docs" / "promises.md").read_text()
    rows = re.findall(r"^\| (\d+) \|(.*)$", page, re.MULTILINE)
    assert {int(number) for number, _ in rows} == set(range(1, 21))
    for number, row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, f"promise {number} names no test"
        for file, test in named:
            assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE), test


def test_the_page_on_clients_has_the_very_lines_the_product_gives() -> None:
    page = (ROOT / "docs" / "user" / "grants.md").read_text()
    (url,) = set(re.findall(r"https://gateway\.example\.com/mcp/[0-9a-f-]+/", page))
    for snippet in snippets("GitHub", url, "plg_your_token"):
        assert re.search(rf"^### {re.escape(snippet.client)}$", page, re.MULTILINE), snippet.client
        assert f"\n{snippet.text}\n```" in page, snippet.client


def test_the_page_on_trouble_names_every_code_a_gateway_answers_with() -> None:
    page = (ROOT / "docs" / "user" / "troubleshooting.md").read_text()
    codes = {wire_code(code) for code in DECISIONS}
    for module in ("rulings", "upstream_answer"):
        text = (ROOT / "gateway" / f"{module}.py").read_text()
        codes |= set(re.findall(r'"((?:[a-z]+_)*(?:unavailable|expired|error)|upstream_[a-z_]+)"', text))
    assert len(codes) > 15
    assert [code for code in sorted(codes) if f"`{code}`" not in page] == []
    for told in ("hidden", "default_deny", "not_listed"):
        assert f"`{told}`" in page


def test_the_page_on_roles_says_what_each_may_do() -> None:
    from accounts.models import Role
    from accounts.permissions import SCOPES, May, able

    page = (ROOT / "docs" / "user" / "members.md").read_text()
    ranks = (Role.VIEWER, Role.POLICY_MANAGER, Role.ADMIN, Role.OWNER)
    for act in May:
        cells = ["yes" if role in able(act) else "" for role in ranks]
        row = re.search(rf"^\| {re.escape(act)} \|(.*)\|$", page, re.MULTILINE)
        assert row and [cell.strip() for cell in row[1].split("|")] == cells, act
    assert tuple(re.findall(r"`([a-z]+:(?:read|write))`", page)) == SCOPES


def test_the_page_on_limits_has_the_figures_of_the_code() -> None:
    from accounts.limits import CALLS_A_MINUTE_UNCONFIRMED, DEFAULTS, SERVERS_UNCONFIRMED, WORDS
    from approvals.claims import MOST_WAITING, MOST_WAITING_OF_A_GRANT
    from gateway.limits import Limits

    page = (ROOT / "docs" / "user" / "limits.md").read_text()
    for limit, most in DEFAULTS.items():
        assert f"| {WORDS[limit]} | {most:,} |" in page
    bounds = Limits()
    assert f"{SERVERS_UNCONFIRMED} servers and {CALLS_A_MINUTE_UNCONFIRMED} calls a minute" in page
    assert f"| body of a request | {bounds.body_bytes >> 20} MiB |" in page
    assert f"| head of a request | {bounds.head_bytes >> 10} KiB |" in page
    assert f"| wait for a server's answer to begin | {bounds.answer_seconds:.0f} s |" in page
    assert f"| answer of a server | {bounds.answer_bytes >> 20} MiB |" in page
    assert f"| list of tools | {bounds.list_bytes >> 20} MiB |" in page
    waiting = f"{MOST_WAITING_OF_A_GRANT} of one grant, {MOST_WAITING:,} of one organization"
    assert f"| calls that wait for a person | {waiting} |" in page
    told = f"{MOST_WAITING_OF_A_GRANT} calls of one grant and {MOST_WAITING:,} of one organization"
    assert told in (ROOT / "docs" / "user" / "approvals.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    for file, heading in re.findall(r"\]\((?!https?:|mailto:)([^)#]*)#([^)]+)\)", page.read_text()):
        target = (page.parent / file if file else page).read_text()
        assert heading in map(_anchor, re.findall(r"^#+ (.+)$", target, re.MULTILINE)), (file, heading)


def _anchor(heading: str) -> str:
    """The anchor as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
