"""`manage.py secrets`: each process's own, for nobody else's eyes, and never over what is there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from common.tokens import WORKER, is_well_formed
from config import env
from config.supervisor.fresh_secrets import PROCESSES, main
from config.supervisor.keys import verify_key


def read(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert main(["--into", str(tmp_path / "new"), "--gateways", "gw-a,gw-b"]) == 0
    return tmp_path / "new"


def test_each_file_holds_what_its_process_may_read_and_no_more(folder: Path) -> None:
    held = {process: set(read(folder / f"{process}.env")) for process in PROCESSES}
    assert [process for process, names in held.items() if "SIGNING_KEY" in names] == ["worker"]
    assert held["gateway"] == {"BUNDLE_KEYS", "VERIFY_KEYS"}
    assert held["web"] == {"SECRET_KEY", "SEALING_KEYS", "ARGUMENT_KEYS"}
    assert held["internal"] == {"SECRET_KEY", "ARGUMENT_KEYS"}
    assert not {"SEALING_KEYS", "ARGUMENT_KEYS", "SIGNING_KEY", "BUNDLE_KEYS"} & held["prepare"]
    assert held["prepare"] >= {"APP_ROLE_PASSWORD", "WORKER_ROLE_PASSWORD", "WORKER_TOKENS"}


def test_what_is_made_fits_together_and_is_never_the_same(folder: Path, tmp_path: Path) -> None:
    made = read(folder / "env")
    assert made["VERIFY_KEYS"] == verify_key(made["SIGNING_KEY"])
    tokens = dict(part.split(":") for part in made["WORKER_TOKENS"].split(","))
    assert set(tokens) == {"gw-a", "gw-b"}
    for name, token in tokens.items():
        assert is_well_formed(token, WORKER)
        assert (folder / "worker-tokens" / name).read_text() == token
    assert main(["--into", str(tmp_path / "again")]) == 0
    other = read(tmp_path / "again" / "env")
    assert not {value for value in other.values() if value != "gw-1"} & set(made.values())
    assert other["WORKER_TOKENS"] == f"gw-1:{other['WORKER_TOKEN']}"


def test_nobody_else_may_read_them_and_nothing_is_written_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    before = (folder / "env").read_text()
    assert main(["--into", str(folder)]) == 1
    assert "Nothing was written" in capsys.readouterr().err
    assert (folder / "env").read_text() == before


def test_tokens_of_gateways_are_read_by_name_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_TOKENS", "a:plw_1, b:plw_2")
    assert env.named_tokens() == {"a": "plw_1", "b": "plw_2"}
    for wrong in ("plw_1", "a:", ":plw_1", "a:plw_1,a:plw_2"):
        monkeypatch.setenv("WORKER_TOKENS", wrong)
        with pytest.raises(env.EnvironmentInvalid, match="WORKER_TOKENS must be") as refused:
            env.named_tokens()
        assert "plw_" not in str(refused.value)


def test_mail_goes_through_the_server_that_is_named_and_never_unencrypted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert env.mail_server() is None
    monkeypatch.setenv("EMAIL_URL", "smtp://me%40example.com:p%2Fw@mail.example.com")
    found = env.mail_server()
    assert found == env.MailServer("mail.example.com", 587, "me@example.com", "p/w", tls=False)
    monkeypatch.setenv("EMAIL_URL", "smtps://mail.example.com:4465")
    assert env.mail_server() == env.MailServer("mail.example.com", 4465, "", "", tls=True)
    for wrong in ("mail.example.com", "http://mail.example.com", "smtp://", "smtp://u:secret@host:x"):
        monkeypatch.setenv("EMAIL_URL", wrong)
        with pytest.raises(env.EnvironmentInvalid, match="EMAIL_URL must be") as refused:
            env.mail_server()
        assert "secret" not in str(refused.value)
