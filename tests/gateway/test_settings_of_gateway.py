import base64
from dataclasses import asdict
from pathlib import Path

import pytest

from common.egress import AddressRefused
from common.tokens import WORKER, new_token
from config.env_table import SETTINGS
from gateway.counters.redis_wire import Address
from gateway.limits import Limits
from gateway.settings import VERSION, Settings, SettingsInvalid, read_settings
from gateway_config.wire.signing import SigningKey, new_signing_key

ROOT = Path(__file__).parents[2]
SECRET = base64.b64encode(bytes(range(32))).decode()
GIVEN = {
    "WORKER_TOKEN": new_token(WORKER),
    "BUNDLE_KEYS": f"b:{SECRET}",
    "VERIFY_KEYS": SigningKey.parse(new_signing_key("v")).verify_key(),
}


def settings(**changes: str) -> Settings:
    return read_settings({**GIVEN, **changes})


def test_what_is_not_given_has_the_defaults_of_one_machine() -> None:
    read = settings()
    assert (read.host, read.port, read.worker_name) == ("127.0.0.1", 8100, "gw-1")
    assert read.control_url == "http://127.0.0.1:8001"
    assert read.folder == Path(".data/gw-1").absolute()
    assert read.limiter == Path(".data/limiter.sqlite3").absolute()
    assert read.metrics_port is None
    assert read.egress.allow == ()
    assert read.hosts == {"127.0.0.1:8100", "127.0.0.1", "localhost", "[::1]"}


def test_all_workers_of_one_data_folder_share_one_limiter() -> None:
    one, two = settings(DATA_DIR="/d", WORKER_NAME="gw-1"), settings(DATA_DIR="/d", WORKER_NAME="gw-2")
    assert one.limiter == two.limiter == Path("/d/limiter.sqlite3")
    assert one.folder != two.folder
    assert settings(LIMITER_URL="sqlite:////shared/l.db").limiter == Path("/shared/l.db")


def test_the_door_of_a_worker_is_its_own_in_a_folder_they_share() -> None:
    one = settings(DATA_DIR="/d", WORKER_NAME="gw-1")
    two = settings(DATA_DIR="/d", WORKER_NAME="gw-2", HANDOVER_ADDRESS="10.0.0.5:8200")
    assert one.door.folder == two.door.folder == Path("/d/doors")
    assert (one.door.socket, one.door.address) == (Path("/d/doors/gw-1.sock"), "")
    assert (two.door.socket, two.door.address) == (Path("/d/doors/gw-2.sock"), "10.0.0.5:8200")
    assert settings(HANDOVER_DIR="/run/gateways").door.folder == Path("/run/gateways")
    opened = settings(HANDOVER_ADDRESS="10.0.0.5:8200", EGRESS_ALLOW_PRIVATE="10.0.0.0/8").egress
    with pytest.raises(AddressRefused, match="our own listeners"):
        opened.check("10.0.0.5", 8200)


LIMITS = {
    "MOST_BODY_BYTES": ("body_bytes", 16_384, 4_194_304),
    "CLIENT_HEAD_SECONDS": ("head_seconds", 1, 120),
    "CLIENT_IDLE_SECONDS": ("idle_seconds", 5, 3_600),
    "SERVER_ANSWER_SECONDS": ("answer_seconds", 1, 3_600),
    "SERVER_IDLE_SECONDS": ("stream_idle_seconds", 30, 86_400),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_of_requests_and_answers_is_set_within_its_bounds(name: str) -> None:
    field, least, most = LIMITS[name]
    assert settings().limits == Limits()
    for value in (least, most):
        limits = settings(**{name: str(value)}).limits
        assert asdict(limits) == asdict(Limits()) | {field: value}
    for malformed in (str(least - 1), str(most + 1), "1e3", "-5", "10.5", "10s"):
        with pytest.raises(SettingsInvalid, match=f"{name} must be a whole number from {least} to {most}"):
            settings(**{name: malformed})


@pytest.mark.parametrize("name", LIMITS)
def test_a_limits_default_in_the_table_is_the_one_in_force(name: str) -> None:
    (listed,) = [one for one in SETTINGS if one.name == name]
    field, least, most = LIMITS[name]
    assert listed.default == f"{getattr(Limits(), field):.0f}"
    assert f"from {least} to {most}" in listed.description


@pytest.mark.parametrize(
    "changes",
    [
        {"HANDOVER_ADDRESS": "10.0.0.5"},
        {"HANDOVER_ADDRESS": "10.0.0.5:8200,10.0.0.6:8200"},
        {"HANDOVER_ADDRESS": "gateway:8200"},
        {"GATEWAY_SHARED_PORT": "maybe"},
    ],
)
def test_a_malformed_door_is_named(changes: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalid, match=next(iter(changes))):
        settings(**changes)


def test_a_prefix_of_the_public_url_is_known() -> None:
    assert settings().path_prefix == ""
    assert settings(GATEWAY_PUBLIC_URL="https://example.com/gateway/").path_prefix == "/gateway"


def test_our_own_listeners_are_refused_without_being_told() -> None:
    egress = settings(
        EGRESS_ALLOW_PRIVATE="127.0.0.0/8, ::1/128", OWN_LISTENERS="127.0.0.1:5432", METRICS_PORT="9100"
    ).egress
    for port in (8100, 5432, 9100):
        with pytest.raises(AddressRefused, match="our own listeners"):
            egress.check("127.0.0.1", port)
    reached = settings(EGRESS_ALLOW_PRIVATE="10.0.0.0/8", METRICS_HOST="10.0.0.5", METRICS_PORT="9100").egress
    with pytest.raises(AddressRefused, match="our own listeners"):
        reached.check("10.0.0.5", 9100)
    egress.check("127.0.0.1", 9000)


def test_on_a_machine_of_ones_own_agents_may_name_it_either_way() -> None:
    both = {"127.0.0.1", "localhost", "[::1]"}
    assert both <= settings(GATEWAY_PUBLIC_URL="http://localhost:8100").hosts
    assert both <= settings(GATEWAY_HOST="0.0.0.0", GATEWAY_PUBLIC_URL="http://127.0.0.1:8100").hosts


def test_only_the_public_name_is_served_where_strangers_can_connect() -> None:
    read = settings(GATEWAY_HOST="10.0.0.5", GATEWAY_PUBLIC_URL="https://gw.example.com/")
    assert read.hosts == {"gw.example.com", "10.0.0.5"}


@pytest.mark.parametrize("name", ["WORKER_TOKEN", "BUNDLE_KEYS", "VERIFY_KEYS"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_variable_is_named(name: str, value: str | None) -> None:
    environment = {**GIVEN, name: value or ""}
    with pytest.raises(SettingsInvalid, match=f"{name} is not set"):
        read_settings(environment)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("GATEWAY_PORT", "0", "a port from 1 to 65535, got `0`"),
        ("GATEWAY_PORT", "²", "a port from 1 to 65535"),
        ("METRICS_PORT", "99999", "a port from 1 to 65535"),
        ("GATEWAY_HOST", "everywhere", "an address to listen on, like 127.0.0.1"),
        ("CONTROL_URL", "127.0.0.1:8001", "must be a URL like"),
        ("CONTROL_URL", "http://user:hush@h", "must be a URL like"),
        ("GATEWAY_PUBLIC_URL", "ftp://h", "must be a URL like"),
        ("WORKER_NAME", "../gw", "1 to 64 letters"),
        ("WORKER_TOKEN", "plw_junk", "a worker's token as it was issued"),
        ("BUNDLE_KEYS", "hush", "must be id:base64,...: key 1 must be written"),
        ("VERIFY_KEYS", "v:hush", "must be id:base64,...: the key v must be 32"),
        ("LIMITER_URL", "http://:hush@localhost", "must be redis://"),
        ("LIMITER_URL", "redis://:hush@nowhere.invalid", "names an unknown host: nowhere.invalid"),
        ("EGRESS_ALLOW_PRIVATE", "10.0.0.1/8", "`10.0.0.1/8` is not a network"),
        ("UPSTREAM_CA_FILE", "/nowhere/ca.pem", "UPSTREAM_CA_FILE cannot be read: /nowhere/ca.pem"),
        ("OWN_LISTENERS", "localhost:80", "`localhost:80` is not a listener"),
        ("ALLOWED_ORIGINS", "example.com", "must be origins like"),
        ("ALLOWED_ORIGINS", "https://example.com/path", "must be origins like"),
        ("LOG_LEVEL", "loud", "must be one of debug, info, warning, error"),
    ],
)
def test_a_malformed_variable_is_named_with_what_would_be_right(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsInvalid) as told:
        settings(**{name: value})
    assert str(told.value).startswith(name)
    assert says in str(told.value)
    assert "hush" not in str(told.value)


@pytest.mark.parametrize("opened", ["127.0.0.0/8", "127.0.0.1/32", "0.0.0.0/0", "10.0.0.0/8,::1/128", "::/0"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5"])
def test_loopback_is_not_opened_where_strangers_can_connect(opened: str, host: str) -> None:
    with pytest.raises(SettingsInvalid, match="only while GATEWAY_HOST is loopback"):
        settings(EGRESS_ALLOW_PRIVATE=opened, GATEWAY_HOST=host)
    settings(EGRESS_ALLOW_PRIVATE=opened, GATEWAY_HOST="::1")
    settings(EGRESS_ALLOW_PRIVATE="10.0.0.0/8", GATEWAY_HOST=host)


def test_loopback_is_not_opened_where_other_machines_hand_over_their_messages() -> None:
    with pytest.raises(SettingsInvalid, match="only while HANDOVER_ADDRESS is loopback"):
        settings(EGRESS_ALLOW_PRIVATE="127.0.0.0/8", HANDOVER_ADDRESS="10.0.0.5:9000")
    settings(EGRESS_ALLOW_PRIVATE="127.0.0.0/8", HANDOVER_ADDRESS="[::1]:9000")
    settings(EGRESS_ALLOW_PRIVATE="10.0.0.0/8", HANDOVER_ADDRESS="10.0.0.5:9000")


def test_settings_show_no_secret() -> None:
    shown = repr(settings())
    assert GIVEN["WORKER_TOKEN"] not in shown
    assert SECRET not in shown


def test_the_version_is_the_projects() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_a_redis_is_a_listener_of_ours_whatever_is_opened() -> None:
    read = settings(LIMITER_URL="redis://:hush@127.0.0.1:6399/2", EGRESS_ALLOW_PRIVATE="127.0.0.0/8")
    assert read.limiter == Address("127.0.0.1", 6399, 2, password="hush")
    with pytest.raises(AddressRefused):
        read.egress.check("127.0.0.1", 6399)
    assert "hush" not in repr(read)
