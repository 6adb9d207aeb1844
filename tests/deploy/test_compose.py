"""The compose file starts what `manage.py up` starts, and gives each process what it may have and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.internal_api import LONGEST_WAIT
from config import env
from config.supervisor import cluster, fresh_secrets, site
from config.supervisor.keys import Keys
from config.supervisor.options import read_options
from config.supervisor.product import GATEWAY_GRACE_SECONDS, Product
from gateway.settings import VERSION
from tests.deploy.files import DEPLOY, PROCESSES, example, networks, services
from tests.foreign import foreign_program
from tests.redis_server import DURABLE

# Not settings of ours: what Django and Celery themselves are told.
THEIRS = {"DJANGO_SETTINGS_MODULE", "CELERY_SKIP_CHECKS"}
PORTS = {
    "web": 8000,
    "internal": 8001,
    "gateway": 8100,
    "postgres": 5432,
    "limiter": 6379,
    "broker": 6379,
    "rabbitmq": 5672,
}
PUBLIC = {"web", "gateway"}


@pytest.fixture(scope="module")
def compose() -> dict[str, dict[str, Any]]:
    secrets = fresh_secrets.fresh({"gw-1": "plw_a"})
    return services(example() | {name: secrets[name] for name in example() if name in secrets})


def settings_of(service: dict[str, Any]) -> set[str]:
    return set(service.get("environment", {})) - THEIRS


def test_the_compose_specification_knows_every_word_of_it() -> None:
    checker = foreign_program("deploy-linters", "check-jsonschema")
    done = subprocess.run(
        [str(checker), "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_key_of_the_example_is_a_setting_and_is_used() -> None:
    known = {setting.name for setting in env.SETTINGS}
    text = (DEPLOY / "compose.yaml").read_text()
    assert set(example()) <= known
    assert [name for name in example() if f"${{{name}" not in text] == []
    secrets = {setting.name for setting in env.SETTINGS if setting.kind in (env.Kind.SECRET, env.Kind.KEYS)}
    assert not any(example()[name] for name in secrets & set(example()))


def test_every_variable_of_the_compose_file_stands_in_the_example() -> None:
    with pytest.raises(LookupError, match="is required"):
        services({})
    asked = set[str]()

    class Noted(dict[str, str]):
        def get(self, name: str, default: object = None) -> str:
            asked.add(name)
            return "x"

    services(Noted())
    assert asked == set(example())


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_gets_what_it_reads_and_nothing_else(
    compose: dict[str, dict[str, Any]], process: str
) -> None:
    given = settings_of(compose[process])
    assert given <= set(fresh_secrets.may_read(process))
    own = set(fresh_secrets.may_read(process))
    required = {setting.name for setting in env.SETTINGS if setting.default is None and setting.name in own}
    assert required - given == set()


def test_only_the_celery_worker_can_sign_and_no_gateway_can_open_the_database(
    compose: dict[str, dict[str, Any]],
) -> None:
    assert [name for name, one in compose.items() if "SIGNING_KEY" in settings_of(one)] == ["worker"]
    gateway = compose["gateway"]
    assert {"VERIFY_KEYS", "BUNDLE_KEYS"} <= settings_of(gateway)
    assert not {"SEALING_KEYS", "DATABASE_URL", "SECRET_KEY", "SIGNING_KEY"} & settings_of(gateway)
    assert not set(gateway["networks"]) & set(compose["postgres"]["networks"])
    owner = compose["prepare"]["environment"]["DATABASE_URL"].partition("@")[0]
    others = [name for name in PROCESSES if name != "prepare"]
    assert not any(owner in str(compose[name]) for name in others)


def test_each_process_enters_the_database_as_the_role_that_is_its_own(
    compose: dict[str, dict[str, Any]],
) -> None:
    roles = {
        name: env.parse_database_url(one["environment"]["DATABASE_URL"]).user
        for name, one in compose.items()
        if "DATABASE_URL" in settings_of(one)
    }
    assert roles == {
        "prepare": cluster.SUPERUSER,
        "web": "policylayer_app",
        "internal": "policylayer_worker",
        "worker": "policylayer_worker",
    }


def served(words: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: became.append(command))
    site.main(words)
    return became[0]


def test_the_processes_are_started_as_manage_py_starts_them(
    compose: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(tmp_path / "secrets.json", {})
    keys.make_missing()
    asked = read_options(["--data-dir", str(tmp_path), "--host", "0.0.0.0"])
    product = Product(asked, keys, "", {})
    started = {child.name: list(child.command[1:]) for child in product.children()}
    started["internal"] = ["0.0.0.0" if word == "127.0.0.1" else word for word in started["internal"]]
    for name in ("internal", "worker"):
        assert compose[name]["command"] == ["python", *started[name]], name
    # Only in the container it is known how many there should be.
    assert compose["web"]["command"][:3] == ["python", "-m", site.__name__]
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert served(compose["web"]["command"][3:], monkeypatch) == [sys.executable, *started["web"]]
    assert compose["prepare"]["command"] == ["python", *product.preparation().command[1:]]


def test_only_the_site_and_the_gateway_are_reached_from_outside_and_through_a_proxy(
    compose: dict[str, dict[str, Any]],
) -> None:
    published = {name: one["ports"] for name, one in compose.items() if one.get("ports")}
    assert published == {"web": ["127.0.0.1:8000:8000"], "gateway": ["127.0.0.1:8100:8100"]}
    outside = [name for name, one in networks().items() if not one.get("internal")]
    assert outside == ["edge"]
    assert {name for name, one in compose.items() if "edge" in one["networks"]} == PUBLIC | {"worker"}


def test_a_proxy_on_this_machine_is_believed_about_who_asks_and_nobody_else(
    compose: dict[str, dict[str, Any]],
) -> None:
    """Otherwise everybody counts as one address, and one stranger's failed sign-ins hold up all."""
    believed = compose["web"]["environment"]["TRUSTED_PROXIES"]
    published = [name for name, network in networks().items() if not network.get("internal")]
    assert published == ["edge"]
    assert [believed] == [pool["subnet"] for pool in networks()["edge"]["ipam"]["config"]]


def test_no_call_can_be_led_to_a_listener_of_the_product(compose: dict[str, dict[str, Any]]) -> None:
    wanted = {
        f"{place['ipv4_address']}:{PORTS[name]}"
        for name, one in compose.items()
        if name in PORTS
        for place in one["networks"].values()
    }
    # Those that serve metrics on a network; the gateway does so on its loopback.
    wanted |= {f"{compose[name]['networks']['edge']['ipv4_address']}:9100" for name in ("web", "worker")}
    assert all(isinstance(one["networks"], dict) for name, one in compose.items() if name in PORTS)
    for name in ("web", "worker", "gateway"):
        assert set(compose[name]["environment"]["OWN_LISTENERS"].split(",")) == wanted


@pytest.mark.parametrize("process", ["web", "worker"])
def test_metrics_are_served_where_only_our_own_containers_reach_them(
    compose: dict[str, dict[str, Any]], process: str
) -> None:
    one = compose[process]
    assert one["environment"]["METRICS_HOST"] == one["networks"]["edge"]["ipv4_address"]
    assert one["environment"]["METRICS_PORT"] == ""
    assert not any("9100" in port for port in one.get("ports", []))


def test_images_are_pinned_to_one_version_and_ours_to_this_one(compose: dict[str, dict[str, Any]]) -> None:
    for name, one in compose.items():
        tag = one["image"].rpartition(":")[2]
        assert tag != one["image"], name
        assert tag[0].isdigit(), name
        assert tag.count(".") >= 1, name
    assert {compose[name]["image"].rpartition(":")[2] for name in PROCESSES} == {VERSION}


def test_nothing_runs_as_root_or_may_become_it(compose: dict[str, dict[str, Any]]) -> None:
    for name, one in compose.items():
        assert one["user"] not in {"root", "0", "0:0"}, name
        assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"]), name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert not one.get("privileged"), name


def test_each_image_is_built_once(compose: dict[str, dict[str, Any]]) -> None:
    built = {name: one["build"]["target"] for name, one in compose.items() if "build" in one}
    assert built == {"prepare": "control", "gateway": "gateway"}


def test_what_is_stopped_has_the_time_to_end_by_itself(compose: dict[str, dict[str, Any]]) -> None:
    longest = {"internal": LONGEST_WAIT, "gateway": GATEWAY_GRACE_SECONDS, "worker": 60}
    for name, seconds in longest.items():
        assert int(compose[name]["stop_grace_period"].removesuffix("s")) > seconds, name


def test_everything_that_goes_on_running_is_looked_after(compose: dict[str, dict[str, Any]]) -> None:
    for name, one in compose.items():
        assert ("test" in one["healthcheck"]) == (name != "prepare"), name


def test_the_limiter_keeps_what_it_is_told_and_gateways_insist_on_it(
    compose: dict[str, dict[str, Any]],
) -> None:
    words = compose["limiter"]["command"][1:]
    said = {words[place].removeprefix("--"): words[place + 1] for place in range(0, len(words), 2)}
    assert {name: said[name] for name in DURABLE} == DURABLE
    assert compose["limiter"]["volumes"]
    assert compose["gateway"]["environment"]["LIMITER_URL"] == "redis://limiter:6379/0"


def test_the_database_keeps_rows_and_statements_out_of_its_log(compose: dict[str, dict[str, Any]]) -> None:
    said = compose["postgres"]["command"]
    for name in ("log_min_messages", "log_min_error_statement", "jit"):
        assert f"{name}={cluster.SETTINGS[name]}" in said
    assert compose["postgres"]["environment"]["POSTGRES_USER"] == cluster.SUPERUSER


def test_the_operator_in_the_database_s_container_is_asked_for_no_password(
    compose: dict[str, dict[str, Any]],
) -> None:
    given = compose["postgres"]["environment"]
    assert "--auth=scram-sha-256" in given["POSTGRES_INITDB_ARGS"]
    assert given["PGPASSWORD"] == given["POSTGRES_PASSWORD"] != ""
