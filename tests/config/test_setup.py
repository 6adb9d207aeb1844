"""`make setup` on a machine where nothing is installed yet."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from config.supervisor import setup


@pytest.mark.parametrize(("authorities", "told"), [(True, "true"), (False, "")])
def test_packages_are_fetched_through_whatever_this_machine_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authorities: bool, told: str
) -> None:
    monkeypatch.delenv("UV_SYSTEM_CERTS", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    if authorities:
        (tmp_path / "company.pem").write_text("")
    asked = f"import os, sys; sys.exit(os.environ.get('UV_SYSTEM_CERTS', '') != {told!r})"
    setup._run(sys.executable, "-c", asked)


def test_what_the_operator_has_said_of_certificates_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_SYSTEM_CERTS", "false")
    setup._run(sys.executable, "-c", "import os, sys; sys.exit(os.environ['UV_SYSTEM_CERTS'] != 'false')")


def test_a_checkout_that_this_user_cannot_write_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "ROOT", tmp_path / "theirs")
    with pytest.raises(SystemExit, match="theirs cannot be written to by this user"):
        setup.main()


def test_an_index_that_is_not_reached_is_not_taken_for_a_missing_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ncase "$*" in *--version) exit 0;; *) exit 1;; esac\n')
    python.chmod(0o755)
    monkeypatch.setattr(setup, "UV_PLACES", (tmp_path / "no-uv", tmp_path / "target" / "bin" / "uv"))
    monkeypatch.setattr(setup, "PYTHON", tmp_path / "no-python")
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(SystemExit, match=r"pip cannot install uv.*index is not reached"):
        setup._uv()
