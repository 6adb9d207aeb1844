"""What an image holds is enough for what runs in it; the gateway's holds nothing of the control plane."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gateway.settings import VERSION
from tests.deploy.files import CHART, DEPLOY, is_sent, lay_out, stages
from tests.foreign import ROOT, foreign_program

# Refuses what is not in the image, as the image would: names of modules that may be imported from outside.
_AS_IN_THE_IMAGE = """
import importlib.abc, json, sys
allowed = set(json.loads(sys.argv[1]))
class Gate(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in allowed:
            return None
        raise ModuleNotFoundError(f"the image holds no {name}", name=name)
sys.meta_path.insert(0, Gate())
"""
OURS = ["common", "gateway", "gateway_config", "policies"]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def modules_of_the_gateway() -> list[str]:
    """What the group installs, with what that needs itself, by the names it is imported under."""
    waiting = [Requirement(one) for one in project()["dependency-groups"]["gateway"]]
    installed = set[str]()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name not in installed and (one.marker is None or one.marker.evaluate({"extra": ""})):
            installed.add(name)
            waiting += [Requirement(needed) for needed in metadata.requires(name) or ()]
    found = metadata.packages_distributions()
    return [top for top, holders in found.items() if installed & set(map(canonicalize_name, holders))]


def run_in(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin"},
    )


def test_hadolint_finds_nothing_wrong() -> None:
    linter = foreign_program("deploy-linters", "hadolint")
    done = subprocess.run(
        [str(linter), str(DEPLOY / "Dockerfile")], capture_output=True, text=True, timeout=180, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_gateway_s_image_holds_all_it_imports_and_nothing_of_the_control_plane(tmp_path: Path) -> None:
    lay_out("gateway", tmp_path)
    probe = _AS_IN_THE_IMAGE + (
        "import pkgutil, importlib, gateway, gateway_config.wire, policies.language, common.probe\n"
        "for room in (gateway, gateway_config.wire, policies.language):\n"
        "    for found in pkgutil.walk_packages(room.__path__, room.__name__ + '.'):\n"
        "        importlib.import_module(found.name)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = run_in(tmp_path, probe, json.dumps([*OURS, *modules_of_the_gateway()]))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "django" not in done.stdout
    held = {str(path.relative_to(tmp_path)).partition("/")[0] for path in tmp_path.iterdir()}
    assert held == set(OURS)


def test_what_the_gateway_s_image_installs_is_what_the_project_locks() -> None:
    found = project()
    assert set(found["dependency-groups"]["gateway"]) <= set(found["project"]["dependencies"])
    packages = {"control-packages": "--no-default-groups", "gateway-packages": "--only-group gateway"}
    for stage, options in packages.items():
        assert stages()[stage].all("RUN") == [f"uv sync --frozen --no-install-project {options}"]


def test_the_control_plane_s_image_holds_all_it_imports_and_every_page(tmp_path: Path) -> None:
    lay_out("control", tmp_path)
    probe = (
        "import os; os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings.test')\n"
        "import django; django.setup()\n"
        "from django.core.management import call_command; call_command('check', '--fail-level', 'ERROR')\n"
        "import config.urls, config.internal_urls, config.asgi, config.celery, config.supervisor.prepare\n"
        "from django.template.loader import get_template; get_template('pages/home.html')\n"
        "from django.contrib.staticfiles import finders; assert finders.find('dist')\n"
        "config.celery.app.loader.import_default_modules(); print(config.__file__)\n"
    )
    done = run_in(tmp_path, probe)
    assert done.returncode == 0, done.stderr[-2000:]
    assert str(tmp_path) in done.stdout


def test_both_images_run_as_somebody_who_owns_nothing_but_the_data() -> None:
    for name in ("control", "gateway"):
        stage = stages()[name]
        assert stage.base == "base"
        assert stage.all("USER") == []
        assert stage.all("HEALTHCHECK")
    assert stages()["base"].all("USER") == ["10001:10001"]


def test_every_base_is_one_version_and_no_secret_or_folder_of_data_is_sent_to_the_builder() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    (image,) = re.findall(r"^ARG PYTHON_IMAGE=(.*)$", text, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", image)
    assert {stage.base for stage in stages().values()} == {"${PYTHON_IMAGE}", "packages", "base"}
    assert not re.search(r"^(ARG|ENV) .*(SECRET|PASSWORD|TOKEN|_KEYS?=)", text, re.MULTILINE)
    for path in (".env", "deploy/.env", ".data/secrets.json", ".git/config", "tests/cast.py", "config/x.pyc"):
        assert not is_sent(Path(path)), path
    assert is_sent(Path("config/env.py"))


def test_what_the_runbook_makes_is_not_committed() -> None:
    assert {"/secrets/", "/deploy/.env"} <= set((ROOT / ".gitignore").read_text().splitlines())


def test_one_version_everywhere() -> None:
    chart = (CHART / "Chart.yaml").read_text()
    assert project()["project"]["version"] == VERSION
    assert f"version: {VERSION}\nappVersion: {VERSION}" in chart


def test_the_uv_of_the_image_is_one_that_makes_the_environment_here() -> None:
    from config.supervisor.setup import UV

    (used,) = re.findall(r"uv==([0-9]+\.[0-9]+)", (DEPLOY / "Dockerfile").read_text())
    low, high = re.findall(r"[0-9]+\.[0-9]+", UV)
    assert used == low < high


@pytest.mark.parametrize("stage", ["control", "gateway"])
def test_an_image_s_health_is_asked_with_what_the_image_holds(stage: str, tmp_path: Path) -> None:
    lay_out(stage, tmp_path)
    done = run_in(tmp_path, "import runpy, sys; sys.argv = ['probe', 'http://127.0.0.1:1/healthz']; "
                            "runpy.run_module('common.probe', run_name='__main__')")  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
