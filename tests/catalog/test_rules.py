"""Rows of the index are classed anew where the rules changed, and only there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# How lines of a file are told apart: no rule.
NO_RULES = {"catalog", "catalog.lines"}


def test_all_that_the_classifier_is_made_of_counts_as_its_rules() -> None:
    listed = "import sys, catalog.classify\nprint(*(m for m in sys.modules if m.split('.')[0] == 'catalog'))"
    said = subprocess.run(
        [sys.executable, "-c", listed], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    made_of = set(said.stdout.split()) - NO_RULES
    assert {"catalog.classify", "catalog.classifier.vocabulary"} <= made_of
    rules = {f"catalog.classifier.{file.stem}" for file in (ROOT / "catalog" / "classifier").glob("*.py")}
    assert made_of - {"catalog.classify", "catalog.classifier"} <= rules
