"""Everything that can be known beforehand is said before anything starts."""

import base64
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from config.supervisor.lock import has_ipv6_loopback, reserve_ports, take_lock
from config.supervisor.options import read_options
from config.supervisor.stops import CannotStart
from tests.ports import free_port, free_ports

pytestmark = pytest.mark.usefixtures("plain_environment")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def manage(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["keys", "status"]])
def test_a_command_without_settings_says_where_a_running_product_has_them(arguments: list[str]) -> None:
    said = manage(*arguments)
    assert said.returncode == 1
    assert said.stderr.startswith("SECRET_KEY is not set")
    assert said.stderr.endswith("Beside a running `make up`: --data-dir .data\n")


@pytest.mark.parametrize("folder", [["--data-dir", "nowhere"], ["--data-dir=nowhere"]])
def test_a_folder_on_which_nothing_runs_is_named(folder: list[str]) -> None:
    said = manage("keys", "status", *folder)
    assert (said.returncode, said.stdout) == (1, "")
    assert "Nothing runs on" in said.stderr and "nowhere" in said.stderr and ".data\n" not in said.stderr


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path, taken_port: int) -> None:
    said = manage("up", "--data-dir", tmp_path, "--port", taken_port)
    assert said.returncode == 1
    assert said.stderr == (
        f"Port {taken_port} on 127.0.0.1 is taken: stop what listens there, or choose another with --port"
        " or PORT=….\n"
    )
    assert {found.name for found in tmp_path.iterdir()} <= {"lock"}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be debug, info, warning or error, got `loud`."),
        ("SEALING_KEYS", "abc", "SEALING_KEYS must be keys written id:base64"),
        ("DATABASE_URL", "mysql://u:hunter2@h/x", "DATABASE_URL must be a URL like postgresql://"),
        ("DATABASE_URL", "postgresql://u:hunter2%zz@127.0.0.1:1/x", "DATABASE_URL must be a URL that Pos"),
        ("EGRESS_ALLOW_PRIVATE", "10.0.0.1/8", "EGRESS_ALLOW_PRIVATE must be networks like"),
        ("TRUSTED_PROXIES", "foo", "TRUSTED_PROXIES must be networks like"),
        ("HANDOVER_ADDRESS", "foo", "HANDOVER_ADDRESS must be listeners like"),
        ("HANDOVER_ADDRESS", "10.0.0.1:99999", "HANDOVER_ADDRESS must be listeners like"),
        ("HANDOVER_ADDRESS", "10.0.0.1:81,10.0.0.2:81", "HANDOVER_ADDRESS must be one ip:port, got"),
        ("AUDIT_RETENTION_DAYS", "364", "AUDIT_RETENTION_DAYS must be a whole number from 365 to"),
        ("API_REQUESTS_A_MINUTE", "0", "API_REQUESTS_A_MINUTE must be a whole number from 1 to"),
        ("API_REQUESTS_A_MINUTE_UNKNOWN", "0", "API_REQUESTS_A_MINUTE_UNKNOWN must be a whole number from 1"),
        ("ADMIN_ENABLED", "maybe", "ADMIN_ENABLED must be yes or no, got `maybe`."),
        ("CACHE_URL", "foo", "CACHE_URL must be a URL like redis://host:6379/0."),
    ],
)
def test_a_setting_that_no_process_could_use_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    said = manage("up", "--data-dir", tmp_path, *on_free_ports())
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith(sentence)
    assert said.stderr.count("\n") == 1 and "hunter2" not in said.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"), [("METRICS_PORT", "65535"), ("HANDOVER_ADDRESS", "127.0.0.1:65534")]
)
def test_ports_that_several_gateways_count_up_from_must_leave_room_for_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    said = manage("up", "--gateways", 3, "--data-dir", tmp_path, *on_free_ports())
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        f"{name} is `{value}`, and each of 3 gateways takes the next port: choose one up to 65533.\n"
    )
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("folder", "why"),
    [("/proc/policylayer", "No such file or directory"), (__file__, "Not a directory")],
)
def test_a_data_folder_that_cannot_be_used_is_named(folder: str, why: str) -> None:
    said = manage("up", "--data-dir", folder, *on_free_ports())
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        f"{folder} cannot be used ({why}): choose another folder with --data-dir or DATA_DIR=…, or run this"
        " as the user that owns it.\n"
    )


@pytest.mark.parametrize(
    ("module", "broken", "sentence"),
    [
        ("config.asgi", {"SEALING_KEYS": "abc"}, "SEALING_KEYS must be keys written id:base64"),
        ("config.asgi", {"TRUSTED_PROXIES": "foo"}, "TRUSTED_PROXIES must be networks like"),
        ("config.celery", {"EGRESS_ALLOW_PRIVATE": "foo"}, "EGRESS_ALLOW_PRIVATE must be networks like"),
    ],
)
def test_a_process_ends_with_one_sentence_and_no_traceback(
    module: str, broken: dict[str, str], sentence: str
) -> None:
    key = f"k1:{base64.b64encode(bytes(32)).decode()}"
    settings = {
        "DATABASE_URL": "postgresql://u@127.0.0.1:1/x",
        "SECRET_KEY": "s" * 32,
        "SEALING_KEYS": key,
        "ARGUMENT_KEYS": key,
    }
    said = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.prod", **settings, **broken},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 1
    assert said.stderr.startswith(sentence) and said.stderr.count("\n") == 1


def test_the_preparation_refuses_a_url_without_saying_its_password() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "config.supervisor.prepare"],
        env={**os.environ, "DATABASE_URL": "postgresql://u:hunter2%zz@127.0.0.1:1/x"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 1
    assert said.stderr.startswith("DATABASE_URL must be a URL that PostgreSQL accepts")
    assert said.stderr.count("\n") == 1 and "hunter2" not in said.stderr


def test_nobody_else_answers_at_localhost_in_our_place(tmp_path: Path) -> None:
    """Browsers may try ::1 before 127.0.0.1, where the site listens."""
    if not has_ipv6_loopback():
        pytest.skip("this machine has no ::1")
    flags = on_free_ports()
    port = int(flags[1])
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", port))
        other.listen()
        said = manage("up", "--data-dir", tmp_path, *flags)
    assert said.returncode == 1
    assert said.stderr.startswith(f"Port {port} on ::1 is taken")


def test_a_port_wanted_twice_is_named_with_what_chooses_it(tmp_path: Path) -> None:
    port = free_port()
    said = manage("up", "--data-dir", tmp_path, "--port", port, "--gateway-port", port)
    assert said.returncode == 1
    assert said.stderr.startswith(f"Port {port} is wanted twice: choose another with --port or PORT=…")
    assert "--gateway-port or GATEWAY_PORT=…" in said.stderr


@pytest.mark.parametrize(
    ("asked", "given", "found"),
    [
        (["--port", "8010"], "", 8011),
        (["--port", "65535"], "", 65534),
        (["--port", "8010"], "9100", 9100),
        (["--port", "8010", "--internal-port", "9200"], "9100", 9200),
    ],
)
def test_a_second_product_on_this_machine_need_not_name_its_internal_port(
    asked: list[str], given: str, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERNAL_PORT", given)
    assert read_options(asked).internal_port == found


def test_an_ipv6_address_to_listen_on_may_be_written_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_ipv6_loopback():
        pytest.skip("this machine has no ::1")
    metrics, gateway = free_ports(2)
    monkeypatch.setenv("METRICS_HOST", "[::1]")
    monkeypatch.setenv("METRICS_PORT", str(metrics))
    monkeypatch.setenv("GATEWAY_HOST", "[::1]")
    options = read_options(["--only", "gateway", "--gateway-port", str(gateway)])
    assert options.listeners() == [("--gateway-port", "::1", gateway), ("METRICS_PORT", "::1", metrics)]
    assert read_options(["--gateway-host", "[::1]"]).gateway_host == "::1"
    assert read_options(["--host", "[::1]"]).host == "::1"
    for kept in reserve_ports(options.listeners()):
        kept.close()


def test_a_second_start_on_the_same_folder_says_so_and_touches_nothing(tmp_path: Path) -> None:
    lock = take_lock(tmp_path)
    said = manage("up", "--data-dir", tmp_path)
    os.close(lock)
    assert said.returncode == 1
    assert said.stderr == (
        f"The product is already running on {tmp_path} (process {os.getpid()}):"
        f" stop that one first, or choose another --data-dir.\n"
    )
    assert [found.name for found in tmp_path.iterdir()] == ["lock"]
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


def test_a_database_whose_keys_are_gone_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("15\n")
    said = manage("up", "--data-dir", tmp_path, *on_free_ports())
    assert said.returncode == 1
    assert said.stderr.startswith(f"The keys of the database in {tmp_path / 'postgres'} are gone: put ")


def test_a_gateway_alone_says_which_key_it_lacks(tmp_path: Path) -> None:
    said = manage("up", "--only", "gateway", "--data-dir", tmp_path, *on_free_ports())
    assert said.returncode == 1
    assert "WORKER_TOKEN is not set: give it in the environment, as the control plane has it." in said.stderr


def test_a_wrong_flag_is_a_usage_error(tmp_path: Path) -> None:
    said = manage("up", "--only", "web,cron", "--data-dir", tmp_path)
    assert said.returncode == 2
    assert "some of web,worker,gateway, got `web,cron`" in said.stderr


def test_a_malformed_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "eighty")
    said = manage("up", "--data-dir", tmp_path)
    assert said.stderr == "GATEWAY_PORT must be a whole number from 1 to 65535, got `eighty`.\n"


def test_a_command_for_a_product_that_does_not_run_says_so(tmp_path: Path) -> None:
    said = manage("bootstrap", "--data-dir", tmp_path)
    assert said.returncode == 1
    assert said.stderr == (
        f"Nothing runs on {tmp_path}: start it with `make up`, or name its folder with --data-dir.\n"
    )


def on_free_ports() -> list[str]:
    flags = ("--port", "--internal-port", "--gateway-port")
    return [word for flag, port in zip(flags, free_ports(3), strict=True) for word in (flag, str(port))]


def test_a_second_product_is_refused_the_ports_of_one_that_is_still_starting(tmp_path: Path) -> None:
    """The site's processes share their port, so nothing else would refuse it, and each would answer half."""
    flags = on_free_ports()
    port, internal = int(flags[1]), int(flags[3])
    reserved = reserve_ports([("--port", "127.0.0.1", port), ("--internal-port", "127.0.0.1", internal)])
    try:
        said = manage("up", "--data-dir", tmp_path, *flags)
        assert (said.returncode, said.stdout) == (1, "")
        assert said.stderr.startswith(f"Port {port} on 127.0.0.1 is taken")
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen()
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                listener.accept()[0].close()
    finally:
        for kept in reserved:
            kept.close()


def test_the_port_that_several_gateways_share_is_refused_to_a_second_product() -> None:
    first = read_options(["--only", "gateway", "--gateways", "2", "--gateway-port", str(free_port())])
    reserved = reserve_ports(first.listeners(), gateways=len(first.workers))
    try:
        with pytest.raises(CannotStart, match=f"Port {first.gateway_port} on 127.0.0.1 is taken"):
            reserve_ports(first.listeners(), gateways=2)
        with ExitStack() as open_ones:
            for _ in first.workers:
                listener = open_ones.enter_context(socket.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                listener.bind(("127.0.0.1", first.gateway_port))
                listener.listen()
    finally:
        for kept in reserved:
            kept.close()


def test_a_gateway_alone_shares_its_port_with_nobody() -> None:
    options = read_options(["--only", "gateway", "--gateway-port", str(free_port())])
    assert reserve_ports(options.listeners(), gateways=len(options.workers)) == []
