"""Every variable is listed, and a bad value stops the process with one sentence."""

import ast
import base64
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from config import env
from config.env import EnvironmentInvalid

KEY = base64.b64encode(bytes(32)).decode()
SETTINGS_FOLDER = Path(env.__file__).parent / "settings"


@pytest.mark.parametrize(
    ("name", "value", "read", "sentence"),
    [
        ("PORT", "80a", env.port, "PORT must be a whole number from 1 to 65535, got `80a`."),
        ("PORT", "70000", env.port, "PORT must be a whole number from 1 to 65535, got `70000`."),
        ("ADMIN_ENABLED", "perhaps", env.boolean, "ADMIN_ENABLED must be yes or no, got `perhaps`."),
        (
            "PUBLIC_URL",
            "example.org",
            env.url,
            "PUBLIC_URL must be a URL that starts with http:// or https://.",
        ),
        ("PUBLIC_URL", "http://[::1", env.url, "PUBLIC_URL must be a well-formed URL."),
        ("SECRET_KEY", "short", env.secret, "SECRET_KEY must be a secret of at least 32 characters."),
        (
            "EGRESS_ALLOW_PRIVATE",
            "10.0.0.0/8,nowhere",
            env.networks,
            "EGRESS_ALLOW_PRIVATE must be networks like 10.0.0.0/8 or ::1/128, got `nowhere`.",
        ),
        (
            "OWN_LISTENERS",
            "127.0.0.1",
            env.listeners,
            "OWN_LISTENERS must be listeners like 127.0.0.1:8000 or [::1]:8000, got `127.0.0.1`.",
        ),
        (
            "OWN_LISTENERS",
            "10.0.0.1:99999",
            env.listeners,
            "OWN_LISTENERS must be listeners like 127.0.0.1:8000 or [::1]:8000, got `10.0.0.1:99999`.",
        ),
        (
            "UPSTREAM_CA_FILE",
            "/no.pem",
            env.ca_file,
            "UPSTREAM_CA_FILE cannot be read: /no.pem: No such file or directory.",
        ),
        (
            "DATABASE_URL",
            "mysql://u:hunter2@h/x",
            env.database,
            "DATABASE_URL must be a URL like postgresql://user:password@host:5432/database.",
        ),
    ],
)
def test_a_malformed_value_is_named_with_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: Callable[[str], object], sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(EnvironmentInvalid) as problem:
        read(name)
    assert str(problem.value) == sentence


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("k1", "keys written id:base64 (letters, digits, - and _ in the id); see key 1"),
        (f"k1:{KEY},k.2:{KEY}", "keys written id:base64 (letters, digits, - and _ in the id); see key 2"),
        ("k1:not base64", "keys in base64; key 1 (`k1`) is not"),
        ("k1:c2hvcnQ=", "keys of 32 bytes; key 1 (`k1`) has 5"),
        (f"k1:{KEY},k1:{KEY}", "keys with different ids"),
        (",", "at least one key, written id:base64"),
    ],
)
def test_malformed_keys_are_told_apart_without_showing_them(
    monkeypatch: pytest.MonkeyPatch, value: str, sentence: str
) -> None:
    monkeypatch.setenv("SEALING_KEYS", value)
    with pytest.raises(EnvironmentInvalid) as problem:
        env.keys("SEALING_KEYS")
    assert str(problem.value) == f"SEALING_KEYS must be {sentence}."
    assert KEY not in str(problem.value)


def test_a_missing_variable_without_a_default_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFY_KEYS", "")
    with pytest.raises(EnvironmentInvalid, match="VERIFY_KEYS is not set \\(id:base64, comma-separated\\)"):
        env.keys("VERIFY_KEYS")


def test_an_empty_variable_means_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", " ")
    assert env.port("PORT") == 8000


def test_a_second_signing_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_KEY", f"a:{KEY},b:{KEY}")
    with pytest.raises(EnvironmentInvalid, match="exactly one key"):
        env.one_key("SIGNING_KEY")


def test_well_formed_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://example.org/")
    monkeypatch.setenv("EGRESS_ALLOW_PRIVATE", "10.0.0.0/8, ::1/128")
    monkeypatch.setenv("OWN_LISTENERS", "127.0.0.1:8000,[::1]:8100")
    monkeypatch.setenv("ADMIN_ENABLED", "Yes")
    assert env.url("PUBLIC_URL") == "https://example.org"
    assert env.networks("EGRESS_ALLOW_PRIVATE") == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert env.listeners("OWN_LISTENERS") == {(ip_address("127.0.0.1"), 8000), (ip_address("::1"), 8100)}
    assert env.boolean("ADMIN_ENABLED") is True


def test_a_database_behind_a_socket_is_understood() -> None:
    found = env.parse_database_url("postgresql://me:p%40ss@/policylayer?host=/run/pg&sslmode=disable")
    assert (found.host, found.port, found.user, found.password, found.name) == (
        "/run/pg",
        5432,
        "me",
        "p@ss",
        "policylayer",
    )
    assert found.options == (("sslmode", "disable"),)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2%zz@127.0.0.1:1/x",
        "postgresql://u:hunter2 and more@127.0.0.1:1/x",
        "postgresql://u:hunter2\udcff@127.0.0.1:1/x",
        "postgresql://u:hunter2@127.0.0.1:1/x?sslmod=require",
    ],
)
def test_a_url_that_only_postgresql_refuses_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(EnvironmentInvalid) as problem:
        env.parse_database_url(url)
    assert str(problem.value) == (
        "DATABASE_URL must be a URL that PostgreSQL accepts: percent-encode its user and password, and check"
        " its options."
    )


def test_a_variable_that_is_not_listed_cannot_be_read() -> None:
    with pytest.raises(LookupError, match="UNHEARD_OF is read but not listed"):
        env.text("UNHEARD_OF")


def test_every_variable_the_settings_read_is_listed() -> None:
    listed = {setting.name for setting in env.SETTINGS}
    for file in SETTINGS_FOLDER.glob("*.py"):
        assert _names_read(file) <= listed, file


def test_variables_are_listed_once_and_described() -> None:
    names = [setting.name for setting in env.SETTINGS]
    assert len(set(names)) == len(names)
    assert all(setting.description.endswith((".", "?")) for setting in env.SETTINGS)


def _names_read(file: Path) -> set[str]:
    calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    return {
        str(call.args[0].value)
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
