"""Places that processes share: never more than there are, and what a dead process held is free."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from common.places import Places

_HOLDING = """
import sys, uuid
from pathlib import Path
from common.places import Places
places = Places(Path(sys.argv[1]))
print(sum(places.take(uuid.UUID(sys.argv[2]), 3) is not None for _ in range(2)), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "live-pages"


def holding_two(file: Path, owner: UUID) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _HOLDING, str(file), str(owner)]
    return subprocess.Popen(words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_there_are_so_many_for_each_owner_and_each_is_had_by_one(file: Path) -> None:
    places, alice, bob = Places(file), uuid4(), uuid4()
    taken = [places.take(alice, 3) for _ in range(4)]
    assert taken[3] is None and len(set(taken)) == 4
    assert places.take(bob, 3) is not None
    assert (places.held(alice), places.held(bob)) == (3, 1)
    assert taken[1] is not None
    for _ in range(2):
        places.give_back(taken[1])
    assert (places.take(alice, 3), places.take(alice, 3)) == (taken[1], None)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("killed", [True, False])
def test_another_process_has_its_share_until_it_ends_however_it_ends(file: Path, killed: bool) -> None:
    places, alice = Places(file), uuid4()
    with holding_two(file, alice) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "2\n"
        mine = places.take(alice, 3)
        assert mine is not None and places.take(alice, 3) is None
        places.give_back(mine)
        if killed:
            other.kill()
        other.stdin.close()
        other.wait(60)
    assert [places.take(alice, 3) is not None for _ in range(4)] == [True, True, True, False]
