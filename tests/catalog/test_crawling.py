"""A stranger's program in its cage: without rights, network or an end of our patience. Needs root."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from catalog.crawling import listing
from catalog.crawling.cage import Cage, CageRefused, a_cage, end
from catalog.crawling.crawl import Crawled, as_json, read_tools, wanted_packages, write_facts
from catalog.crawling.listing import ListingFailed, list_tools
from catalog.crawling.packages import PackageRefused, installed_in, read_package
from catalog.facts import ServerFact
from catalog.importing import shipped

SERVER = """
import json, sys
def tell(body): print(json.dumps(body), flush=True)
print("a banner before the protocol", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("method") == "initialize":
        tell({"jsonrpc": "2.0", "id": 99, "method": "roots/list"})
        tell({"jsonrpc": "2.0", "id": asked["id"], "result": {"serverInfo": {"name": "toy"}}})
    elif asked.get("method") == "tools/list":
        %s
"""
TWO_PAGES = """
        name = "b" if "cursor" in asked["params"] else "a"
        tell({"jsonrpc": "2.0", "id": asked["id"], "result": {"tools": [{"name": name}], "nextCursor": "1"}})
"""
ENDLESS = 'sys.stdout.write("x" * 65536)\n        while True: sys.stdout.write("x" * 65536)'
EMPTY_LINES = 'while True: sys.stdout.write("\\n" * 65536)'
ASKS_AND_HEARS_NOTHING = 'while True: tell({"jsonrpc": "2.0", "id": 5, "method": "roots/list"})'
ASKS_AT_LENGTH = 'tell({"id": "x" * 1_000_000, "method": "roots/list"}); import time; time.sleep(60)'
SILENT = "import time; time.sleep(60)"


@pytest.fixture
def cage() -> Iterator[Cage]:
    try:
        with a_cage() as made:
            yield made
    except CageRefused as why:
        pytest.skip(f"crawling was not tried: {why}")


def listed(cage: Cage, program: str) -> list[str]:
    process = cage.run(["python3", "-c", program], {})
    try:
        return [tool["name"] for tool in list_tools(process).tools]
    finally:
        end(process)


def test_every_page_of_a_list_is_read_once(cage: Cage) -> None:
    assert listed(cage, SERVER % TWO_PAGES) == ["a", "b"]


@pytest.mark.parametrize("act", [ENDLESS, SILENT, "sys.exit(1)", 'tell({"id": asked["id"], "error": {}})'])
def test_a_server_that_floods_sleeps_ends_or_refuses_gives_no_list(
    cage: Cage, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_SECONDS", 3)
    monkeypatch.setattr(listing, "MOST_BYTES", 1 << 20)
    with pytest.raises(ListingFailed):
        listed(cage, SERVER % act)


@pytest.mark.parametrize("act", [EMPTY_LINES, ASKS_AND_HEARS_NOTHING, ASKS_AT_LENGTH])
def test_a_server_that_says_too_much_or_never_listens_is_left_when_its_time_is_over(
    cage: Cage, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_SECONDS", 2)
    process = cage.run(["python3", "-c", SERVER % act], {})
    # What hung would hang the test: its end comes from outside, and is told otherwise.
    alarm = threading.Timer(60, end, [process])
    alarm.start()
    try:
        with pytest.raises(ListingFailed, match="did not answer within"):
            list_tools(process)
    finally:
        alarm.cancel()
        end(process)


def test_it_has_no_rights_no_network_and_nothing_of_ours_in_its_surroundings(
    cage: Cage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary")
    seen = "; ".join(
        (
            "import os, json, socket",
            "links = [name for _, name in socket.if_nameindex()]",
            "up = [l for l in links if open(f'/sys/class/net/{l}/operstate').read().strip() == 'up']",
            "print(json.dumps([os.getuid(), os.getgroups(), sorted(os.environ), "
            "os.path.expanduser('~'), up]))",
        )
    )
    process = cage.run(["python3", "-c", seen], {})
    try:
        assert process.stdout is not None
        uid, groups, names, home, up = json.loads(process.stdout.readline())
    finally:
        end(process)
    assert uid == cage.uid != 0
    assert groups in ([], [cage.gid])
    assert "SECRET_KEY" not in names
    assert (home, up) == (str(cage.home), [])


NPM_FAILS = """
echo 'npm error code ETARGET'
echo 'npm error notarget No matching version found for acme@9.'
echo 'npm error A complete log of this run can be found in: /home/npm/log.txt'
exit 1
"""


def test_an_install_that_fails_says_why_and_not_where_its_log_was(cage: Cage) -> None:
    assert "No matching version" in cage.install(["sh", "-c", NPM_FAILS], {})


ALIVE = """
def live(mark):
    import time
    while True:
        open(mark, "w").write("x")
        time.sleep(0.05)
"""
STARTS = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", %r], start_new_session=True)
sys.stdin.read()
"""
LEAVES_ITS_GROUP = """
import ctypes, os, signal
os.setsid()
ctypes.CDLL(None).prctl(1, 0)  # nor is it told that its parent died
signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""


@pytest.mark.parametrize("leaves", [False, True])
def test_what_it_started_ends_with_it_and_so_does_what_leaves_its_group(cage: Cage, leaves: bool) -> None:
    mark = cage.home / "alive"
    lives = f"{ALIVE}\nlive({str(mark)!r})"
    process = cage.run(["python3", "-c", LEAVES_ITS_GROUP + lives if leaves else STARTS % lives], {})
    until = time.monotonic() + 30
    while not mark.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert mark.exists()
    end(process)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        mark.unlink(missing_ok=True)
        time.sleep(0.3)
        if not mark.exists():
            return
    raise AssertionError("a process outlived its server")


def test_nothing_is_run_where_rights_cannot_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CageRefused, match="root"), a_cage():
        raise AssertionError("a cage was made")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "requests",
        "npm:",
        "pypi:--index-url",
        "npm:../x",
        "npm:https://x",
        "pypi:a b",
        "npm:-g",
        "npm:..",
        "pypi:.",
        "pypi:a;b",
    ],
)
def test_what_names_no_package_is_never_given_to_an_installer(name: str) -> None:
    with pytest.raises(PackageRefused):
        read_package(name)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"bin": ["x"]}',
        b'{"bin": {"acme": 7}}',
        b'{"bin": {"acme": "a\\u0000b"}}',
    ],
)
def test_a_package_that_says_nothing_sensible_of_itself_is_refused_and_the_next_is_crawled(
    tmp_path: Path, said: bytes
) -> None:
    home = tmp_path / "node_modules" / "acme"
    home.mkdir(parents=True)
    (home / "package.json").write_bytes(said)
    with pytest.raises(PackageRefused):
        installed_in(tmp_path, read_package("npm:acme"))


@pytest.mark.parametrize("points", [b"no section", b"\xff\xfe", b"[console_scripts]\nno program\n"])
def test_a_wheel_that_says_nothing_sensible_of_itself_is_refused(tmp_path: Path, points: bytes) -> None:
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: acme")
    (info / "entry_points.txt").write_bytes(points)
    with pytest.raises(PackageRefused):
        installed_in(tmp_path, read_package("pypi:acme"))


def test_facts_are_written_only_when_something_changed(tmp_path: Path) -> None:
    tools, refused = read_tools([{"name": "b"}, {"name": "a"}], "npm:x 1")
    crawled = Crawled(
        ServerFact("x", "X", package="npm:x", version="1", checked="2026-11-01"), tools, refused
    )
    assert write_facts(crawled, tmp_path)
    later = Crawled(ServerFact("x", "X", package="npm:x", version="1", checked="2026-12-01"), tools, refused)
    assert not write_facts(later, tmp_path)
    ((server, kept),) = shipped(tmp_path)
    assert (server.checked, [tool.name for tool in kept]) == ("2026-11-01", ["a", "b"])
    assert json.loads(as_json(crawled))["tools"][0] == {"name": "a", "params": []}


def test_what_a_server_lets_one_choose_is_written_and_read_again(tmp_path: Path) -> None:
    deeds = ["get", "delete"]
    schema = {"properties": {"action": {"enum": deeds}, "id": {"type": "string"}}}
    tools, refused = read_tools([{"name": "issues", "inputSchema": schema}], "npm:x 1")
    server = ServerFact("x", "X", package="npm:x", version="1", checked="2026-11-01")
    assert write_facts(Crawled(server, tools, refused), tmp_path)
    ((_, (kept,)),) = shipped(tmp_path)
    assert kept == tools[0] and kept.choices == (("action", ("get", "delete")),)
    assert not write_facts(Crawled(server, tools, refused), tmp_path)
    deeds.remove("delete")
    fewer, _ = read_tools([{"name": "issues", "inputSchema": schema}], "npm:x 1")
    assert write_facts(Crawled(server, fewer, refused), tmp_path)


def test_every_shipped_server_can_be_crawled_again() -> None:
    wanted = {str(one.package) for one in wanted_packages()}
    assert {server.package for server, _ in shipped()} <= wanted
    assert all(date.fromisoformat(server.checked) for server, _ in shipped())
