"""What no template may hold: the content security policy stops it, or a stranger's text gets through."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.template.loader import get_template
from django.utils.safestring import mark_safe

from common.templatetags import ui

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
APPS = ("accounts", "audit", "catalog", "common", "config", "gateway_config", "policies", "servers")
FORBIDDEN = {
    "a style attribute": re.compile(r"\sstyle\s*=", re.I),
    "a style element": re.compile(r"<style", re.I),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)", re.I),
    "an event handler": re.compile(r"\s(on[a-z]+|hx-on[\w:-]*)\s*=", re.I),
    "a javascript: address": re.compile(r"javascript:", re.I),
    "|safe": re.compile(r"\|\s*safe"),
    "autoescape off": re.compile(r"autoescape\s+off"),
    "a file of another host": re.compile(
        r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//", re.I
    ),
}


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", TEMPLATES, ids=short)
def test_a_template_holds_nothing_the_content_policy_forbids(path: Path) -> None:
    text = path.read_text()
    found = {what for what, pattern in FORBIDDEN.items() if pattern.search(text)}
    # A mail is no page of the site: no policy stands over it, and it may ask nobody for a sheet.
    assert found - ({"a style element"} if short(path) == "templates/mail.html" else set()) == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=short)
def test_a_template_reads(path: Path) -> None:
    get_template(str(path.relative_to(ROOT / "templates")))


def test_only_what_fills_moulds_declares_text_safe_by_hand() -> None:
    code = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    assert [
        short(path) for path in code if re.search(r"mark_safe|SafeString\(|SafeText\(", path.read_text())
    ] == ["common/templatetags/_moulds.py"]  # escapes by itself: tests/common/test_moulds.py


def test_every_icon_a_template_names_is_in_the_sprite() -> None:
    sprite = (ROOT / "static/dist/icons.svg").read_text()
    named = {
        name
        for path in TEMPLATES
        for name in re.findall(r'\bicon(?:\s+|=)"([a-z][a-z0-9-]*)"', path.read_text())
    }
    assert {name for name in named if f'id="i-{name}"' not in sprite} == set()


def test_every_icon_is_named_outright_so_that_the_sprite_can_hold_it() -> None:
    by_variable = [short(path) for path in TEMPLATES if re.search(r"{%\s*icon\s+[a-z]", path.read_text())]
    assert by_variable == [
        "templates/components/note.html"
    ]  # whose names stand in the calling template or _icons.py


def test_a_mark_drawn_once_for_safe_text_is_not_shown_for_equal_text_that_is_none() -> None:
    safe = ui.effect("limited", text=mark_safe("<b>30</b>"))
    assert "<b>30</b>" in safe
    assert "<b>" not in ui.effect("limited", text="<b>30</b>")
