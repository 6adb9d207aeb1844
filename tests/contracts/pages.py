"""Generates pages of the documentation from the code. To write them: python -m tests.contracts.pages"""

from __future__ import annotations

import os
from pathlib import Path

import django

from config.env import SETTINGS, Setting

ROOT = Path(__file__).resolve().parents[2]


def settings_page() -> str:
    rows = "\n".join(_row(setting) for setting in SETTINGS)
    return f"""# Settings
Every process is configured by environment variables and by nothing else. If one is missing or malformed, the
process stops with a sentence that names it. `manage.py up` sets all of them; set one yourself to override it.
This page is generated from `config/env_table.py`, and a test keeps the two equal.

| variable | is | default | read by | what for |
|---|---|---|---|---|
{rows}
"""


def _row(setting: Setting) -> str:
    default = "required" if setting.default is None else f"`{setting.default}`" if setting.default else ""
    return f"| `{setting.name}` | {setting.kind} | {default} | {setting.read_by} | {setting.description} |"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    django.setup()
    from tests.contracts.plain_words import plain_words_page

    (ROOT / "docs" / "settings.md").write_text(settings_page())
    (ROOT / "docs" / "user" / "plain-words.md").write_text(plain_words_page())


if __name__ == "__main__":
    main()
