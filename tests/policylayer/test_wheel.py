"""What `pip install` of the wheel brings: the command, the language it judges with, nothing of the site."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.foreign import ROOT, find_uv


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    uv, folder = find_uv(), tmp_path_factory.mktemp("wheel")
    if uv is None:
        pytest.skip("uv is not installed")
    made = subprocess.run(
        [uv, "build", "--wheel", "--quiet", "--out-dir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if made.returncode != 0 and "uv-build" in made.stderr and "fetch" in made.stderr:
        pytest.skip("what builds wheels cannot be fetched here")
    assert made.returncode == 0, made.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_command_and_the_language_alone(wheel: Path) -> None:
    names = [name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")]
    tops = {name for name in names if not name.startswith(("policylayer/", "policies/language/"))}
    assert {name for name in tops if ".dist-info/" not in name} == {
        *("policies/__init__.py", "policies/commandline.py")
    }
    assert "policies/language/schema.json" in names


def test_the_installed_command_starts_without_the_site(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        " from policylayer.__main__ import main; import policies.commandline as own;"
        f" assert own.__file__.startswith({str(tmp_path)!r}), own.__file__;"
        " assert 'django' not in sys.modules; main(['--help'])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "policies" in done.stdout
