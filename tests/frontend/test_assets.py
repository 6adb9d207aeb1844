"""The built files in static/dist are what frontend/ builds from these templates."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.contrib.staticfiles.finders import find

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
DIST = ROOT / "static" / "dist"


def test_the_committed_assets_are_what_the_sources_build(tmp_path: Path) -> None:
    prepare()
    built = tmp_path / "dist"
    subprocess.run(
        ["node", "build.mjs"], cwd=FRONTEND, check=True, env={**os.environ, "BUILD_TO": str(built)}
    )
    changed = {name for name in files(built) | files(DIST) if content(built / name) != content(DIST / name)}
    assert changed == set(), "run `npm run build` in frontend/ and commit static/dist"


def prepare() -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm were not found: the committed assets were not built again")
    if (FRONTEND / "node_modules" / ".package-lock.json").exists():
        return
    fetched = subprocess.run([npm, "ci"], cwd=FRONTEND, capture_output=True, text=True)
    assert "EUSAGE" not in fetched.stderr, "package-lock.json does not fit package.json"
    if fetched.returncode:
        pytest.skip(
            "the packages of frontend/ could not be fetched: the committed assets were not built again"
        )


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def test_style_script_and_icons_of_a_page_stay_below_forty_kilobytes_on_the_wire() -> None:
    sizes = [
        len(gzip.compress((DIST / name).read_bytes()))
        for name in ("app.css", "app.js", "theme.js", "icons.svg")
    ]
    assert sum(sizes) < 40_000


def test_all_the_script_of_an_ordinary_page_stays_below_sixty_kilobytes_on_the_wire() -> None:
    """A page with a chart is the heaviest there is, the policy editor aside."""
    htmx = find("django_htmx/htmx-2.min.js") or find("django_htmx/htmx.min.js")
    assert isinstance(htmx, str)
    scripts = [Path(htmx), *(DIST / name for name in ("theme.js", "app.js", "chart.js"))]
    assert sum(len(gzip.compress(script.read_bytes())) for script in scripts) < 60_000
