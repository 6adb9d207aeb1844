"""The documents say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.env import SETTINGS
from tests.contracts.pages import settings_page

ROOT = Path(__file__).resolve().parents[2]
OURS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "THREAT_MODEL.md")
PAGES = [
    *(ROOT / name for name in OURS),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "deploy" / "RUNBOOK.md",
]


def test_the_table_of_settings_is_the_one_the_code_makes() -> None:
    """Made anew by `python -m tests.contracts.pages`."""
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
