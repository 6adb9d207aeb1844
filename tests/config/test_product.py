"""Every process is given what it needs and nothing else."""

import base64
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.tokens import WORKER, is_well_formed
from config import env
from config.supervisor import site
from config.supervisor.keys import Keys, verify_key
from config.supervisor.listeners import listeners_at
from config.supervisor.options import read_options
from config.supervisor.product import Product
from config.supervisor.stops import CannotStart
from gateway.limits import Limits

pytestmark = pytest.mark.usefixtures("plain_environment")

ADMIN = "postgresql://owner:adminpw@/policylayer?host=/run/pg"
SEED = base64.b64encode(bytes(range(32))).decode()


def product(folder: Path, *flags: str) -> Product:
    keys = Keys(folder / "secrets.json", {})
    keys.make_missing()
    return Product(read_options(["--data-dir", str(folder), *flags]), keys, ADMIN, {})


def environments(made: Product) -> dict[str, dict[str, str]]:
    return {child.name: dict(child.environment) for child in made.children()}


def test_a_gateway_holds_no_key_of_the_database_and_no_way_into_it(tmp_path: Path) -> None:
    gateway = environments(product(tmp_path))["gw-1"]
    assert not {"DATABASE_URL", "SEALING_KEYS", "SIGNING_KEY", "SECRET_KEY"} & gateway.keys()
    assert {"BUNDLE_KEYS", "VERIFY_KEYS", "WORKER_TOKEN", "CONTROL_URL", "LIMITER_URL"} <= gateway.keys()
    assert not any("adminpw" in value for value in gateway.values())


def test_only_the_celery_worker_can_sign(tmp_path: Path) -> None:
    found = environments(product(tmp_path))
    assert [name for name, own in found.items() if "SIGNING_KEY" in own] == ["worker"]


def test_the_keys_of_bundles_stand_where_bundles_are_sealed_and_opened_and_nowhere_else(
    tmp_path: Path,
) -> None:
    found = environments(product(tmp_path))
    assert [name for name, own in found.items() if "BUNDLE_KEYS" in own] == ["worker", "gw-1"]


def test_what_takes_the_gateways_questions_opens_no_credential(tmp_path: Path) -> None:
    made = product(tmp_path)
    found = environments(made)
    assert [name for name, own in found.items() if "SEALING_KEYS" in own] == ["worker", "web"]
    assert [name for name, own in found.items() if "ARGUMENT_KEYS" in own] == ["internal", "web"]
    kept = {"SEALING_KEYS", "ARGUMENT_KEYS", "SIGNING_KEY", "BUNDLE_KEYS"}
    assert not kept & dict(made.preparation().environment).keys()


def test_web_enters_the_database_as_the_app_and_the_rest_as_the_worker(tmp_path: Path) -> None:
    made = product(tmp_path)
    found = environments(made)
    assert found["web"]["DATABASE_URL"].startswith("postgresql://policylayer_app:")
    assert found["internal"]["DATABASE_URL"].startswith("postgresql://policylayer_worker:")
    assert found["worker"]["DATABASE_URL"].startswith("postgresql://policylayer_worker:")
    worker_password = made.keys["WORKER_ROLE_PASSWORD"]
    assert not any(worker_password in value for value in found["web"].values())


def test_what_the_operator_keeps_for_other_programs_of_postgresql_is_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    monkeypatch.setenv("DATABASE_URL", "postgresql://admin:hunter2@h/policylayer")
    for own in environments(product(tmp_path)).values():
        assert "hunter2" not in json.dumps(own)


def test_gateways_have_their_own_folders_and_tokens_one_port_and_one_limiter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_PORT", "9100")
    made = product(tmp_path, "--only", "worker,gateway", "--gateways", "2")
    made = replace(made, operator={"HANDOVER_ADDRESS": "10.0.0.5:8200", "METRICS_PORT": "9100"})
    found = environments(made)
    first, second = found["gw-1"], found["gw-2"]
    for name in ("DATA_DIR", "WORKER_NAME", "WORKER_TOKEN"):
        assert first[name] != second[name]
    for name in ("GATEWAY_PORT", "HANDOVER_DIR", "LIMITER_URL"):
        assert first[name] == second[name]
    assert first["LIMITER_URL"] == f"sqlite:///{tmp_path}/limiter.sqlite3"
    assert first["GATEWAY_SHARED_PORT"] == "yes"
    assert (first["METRICS_PORT"], second["METRICS_PORT"]) == ("9100", "9101")
    assert not any("METRICS_PORT" in found[name] for name in ("internal", "worker"))
    assert (first["HANDOVER_ADDRESS"], second["HANDOVER_ADDRESS"]) == ("10.0.0.5:8200", "10.0.0.5:8201")
    assert "web" not in found


@pytest.mark.parametrize(
    ("said", "cores", "quota", "processes"),
    [
        ("", 2, "max 100000", 2),
        ("0", 64, "", 4),
        ("6", 2, "max 100000", 6),
        ("1", 8, "", 1),
        ("", 64, "150000 100000", 2),
        ("", 64, "10000 100000", 1),
    ],
)
def test_the_site_is_served_by_one_process_for_each_core_it_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, cores: int, quota: str, processes: int
) -> None:
    monkeypatch.setenv("WEB_PROCESSES", said)
    monkeypatch.setattr(site, "_QUOTA", tmp_path / "cpu.max")
    if quota:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    commands = {child.name: child.command for child in product(tmp_path).children()}
    assert commands["web"][commands["web"].index("--workers") + 1] == str(processes)
    # Whoever waits there for news is woken by one listener.
    assert commands["internal"][commands["internal"].index("--workers") + 1] == "1"


@pytest.mark.parametrize("place", ["/proc/policylayer", "a-file/data"])
def test_a_site_that_cannot_write_to_its_folder_says_what_to_do_before_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("DATA_DIR", str(tmp_path / place))
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("it serves"))
    with pytest.raises(env.EnvironmentInvalid, match="set it to a folder that this user can write to"):
        site.main([])


def test_a_gateway_alone_shares_its_port_with_nobody(tmp_path: Path) -> None:
    assert environments(product(tmp_path))["gw-1"]["GATEWAY_SHARED_PORT"] == "no"


def test_each_gateway_is_asked_at_its_own_door_whether_it_lives(tmp_path: Path) -> None:
    checks = product(tmp_path, "--gateways", "2").health_checks()
    assert checks["gw-2"] == f"unix:{tmp_path}/gateway/doors/gw-2.sock"


def test_a_gateway_has_the_time_to_finish_its_calls(tmp_path: Path) -> None:
    gateway = next(child for child in product(tmp_path).children() if child.name == "gw-1")
    assert (gateway.grace_seconds or 0) > Limits().drain_seconds


def test_no_listener_of_the_product_may_be_an_upstream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_PORT", "9100")
    own = environments(product(tmp_path, "--gateways", "2"))["gw-1"]["OWN_LISTENERS"]
    ports = (8000, 8001, 8100, 9100, 9101)
    assert own == ",".join(f"127.0.0.1:{port}" for port in ports)
    monkeypatch.setenv("METRICS_HOST", "10.0.0.5")
    own = environments(product(tmp_path, "--gateways", "2"))["gw-1"]["OWN_LISTENERS"]
    assert {"10.0.0.5:9100", "10.0.0.5:9101"} <= set(own.split(","))


def test_what_the_product_stands_on_may_be_no_upstream_nor_what_the_operator_names(tmp_path: Path) -> None:
    operator = {
        "CELERY_BROKER_URL": "redis://:pw@127.0.0.1/0; amqp://[::1]:5600//",
        "LIMITER_URL": "rediss://127.0.0.1:6390",
        "CACHE_URL": "redis://127.0.0.1:6379/1",
        "OWN_LISTENERS": "127.0.0.1:9000, 10.0.0.5:80",
        "HANDOVER_ADDRESS": "10.0.0.5:7000",
    }
    made = product(tmp_path, "--gateways", "2")
    own = Product(made.options, made.keys, "postgresql://a:b@127.0.0.1/c?port=5433", operator)
    wanted = "10.0.0.5:7000 10.0.0.5:7001 10.0.0.5:80 127.0.0.1:5433 127.0.0.1:6379 127.0.0.1:6390"
    wanted += " 127.0.0.1:8000 127.0.0.1:8001 127.0.0.1:8100 127.0.0.1:9000 [::1]:5600"
    for process in ("web", "worker", "gw-1", "gw-2"):
        assert environments(own)[process]["OWN_LISTENERS"].split(",") == wanted.split()


@pytest.mark.parametrize(
    "url",
    ["", ADMIN, "postgresql://a@%2Frun%2Fpg/c", "sqlite:////tmp/a", "redis://nobody.invalid", "redis://a:x"],
)
def test_what_listens_nowhere_or_nobody_knows_where_is_left_out(url: str) -> None:
    assert listeners_at(url) == frozenset()


def test_private_networks_are_open_only_on_a_machine_of_ones_own(tmp_path: Path) -> None:
    made = product(tmp_path)
    assert environments(made)["gw-1"]["EGRESS_ALLOW_PRIVATE"] == "127.0.0.0/8,::1/128"
    public = Product(made.options, made.keys, ADMIN, {"PUBLIC_URL": "https://example.org"})
    assert all("EGRESS_ALLOW_PRIVATE" not in own for own in environments(public).values())


@pytest.mark.parametrize(
    ("host", "opened"),
    [
        ("127.0.0.1", "http://localhost:8000"),
        ("0.0.0.0", "http://localhost:8000"),
        ("::1", "http://localhost:8000"),
        ("127.0.0.2", "http://127.0.0.2:8000"),
        ("10.0.0.5", "http://10.0.0.5:8000"),
        ("site.internal", "http://site.internal:8000"),
    ],
)
def test_the_site_on_this_machine_is_opened_by_a_name_which_passkeys_need(
    tmp_path: Path, host: str, opened: str
) -> None:
    made = product(tmp_path, "--host", host)
    assert made.web_url == environments(made)["web"]["PUBLIC_URL"] == opened


def test_the_site_is_asked_whether_it_lives_where_it_listens_whatever_its_name(tmp_path: Path) -> None:
    assert product(tmp_path).health_checks()["web"] == "http://127.0.0.1:8000/healthz"


def test_mail_is_said_to_be_where_it_is(tmp_path: Path) -> None:
    made = product(tmp_path)
    assert made.mail_folder == tmp_path / "mail"
    behind_tls = {"DJANGO_SETTINGS_MODULE": "config.settings.prod"}
    assert Product(made.options, made.keys, ADMIN, behind_tls).mail_folder is None
    sent = {"EMAIL_URL": "smtp://mail.example.com"}
    assert Product(made.options, made.keys, ADMIN, sent).mail_folder is None


def test_keys_are_made_once_for_this_user_alone(tmp_path: Path) -> None:
    first = product(tmp_path).keys
    again = product(tmp_path).keys
    assert first["SEALING_KEYS"] == again["SEALING_KEYS"]
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert is_well_formed(again.worker_token("gw-1", make=True), WORKER)


def test_what_the_operator_sets_wins_and_is_not_written_down(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "secrets.json", {"SIGNING_KEY": f"mine:{SEED}"})
    keys.make_missing()
    assert keys["SIGNING_KEY"] == f"mine:{SEED}"
    assert SEED not in (tmp_path / "secrets.json").read_text()


def test_gateways_verify_with_the_public_half_of_the_signing_key() -> None:
    key_id, _, public = verify_key(f"mine:{SEED}").partition(":")
    expected = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw()
    assert (key_id, base64.b64decode(public)) == ("mine", expected)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"SECRET_KEY": 1}'])
def test_a_broken_key_file_is_never_replaced(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(content)
    with pytest.raises(CannotStart, match="put back a copy of it"):
        Keys(file, {})
    assert file.read_text() == content
