import asyncio
import errno
import os
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from gateway.decision_log import DecisionLog
from gateway.spool import Spool, sync
from gateway_config.wire.messages import BatchAnswer, CompletionEntry, DecisionEntry, RecordBatch
from tests.gateway.world import eventually

ROOT = Path(__file__).parents[2]
BOOT = "this boot"


def decision(number: int) -> DecisionEntry:
    return DecisionEntry(
        id=f"d{number}",
        at_ms=number,
        organization="acme",
        server="s",
        grant="g",
        method="tools/call",
        tool="create_access_key",
        outcome="allow",
        rule="/tools/create_access_key",
    )


class ControlPlane:
    """Stores what it is sent unless it is told to be away; the same record twice is an error."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, int], Any] = {}
        self.order: list[str] = []
        self.away = False
        self.takes_at_most = 10_000
        self.answers_get_lost = 0

    async def __call__(self, body: bytes) -> BatchAnswer:
        if self.away:
            raise ConnectionError("connection refused")
        batch = msgspec.json.decode(body, type=RecordBatch)
        taken = batch.records[: self.takes_at_most]
        for record in taken:
            if self.stored.setdefault((batch.worker, record.sequence), record) != record:
                raise AssertionError("one sequence of one worker stands for two records")
            if record.id not in self.order:
                self.order.append(record.id)
        if self.answers_get_lost:
            self.answers_get_lost -= 1
            raise TimeoutError
        return BatchAnswer(taken[-1].sequence)


def open_log(folder: Path, boot: str = BOOT, **options: int) -> DecisionLog:
    return DecisionLog(folder / "spool", worker="gw-1", boot=boot, **options)


class NotKept(Exception):  # noqa: N818
    pass


def append(log: DecisionLog, entry: DecisionEntry | CompletionEntry) -> None:
    if not log.append_all([entry])[0]:
        raise NotKept


async def emptied(log: DecisionLog) -> None:
    async with asyncio.timeout(60):
        while log.length:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_records_reach_the_control_plane_in_order_and_are_then_forgotten(tmp_path: Path) -> None:
    log, control = open_log(tmp_path), ControlPlane()
    for number in range(1200):
        append(log, decision(number))
    append(log, CompletionEntry(id="d3", organization="acme", upstream_status=200, total_us=5))
    assert log.length == 1201
    await log.drain(control, 60)
    assert log.length == 0
    sequences = [sequence for _, sequence in control.stored]
    assert sequences == list(range(sequences[0], sequences[0] + 1201))
    assert {worker for worker, _ in control.stored} == {log.worker}
    assert control.order == [f"d{number}" for number in range(1200)]
    log.close()


async def test_shipping_goes_on_after_the_control_plane_was_away(tmp_path: Path) -> None:
    log, control = open_log(tmp_path), ControlPlane()
    control.away = True
    shipping = asyncio.create_task(log.ship(control))
    append(log, decision(1))
    await asyncio.sleep(0.1)
    control.away = False
    control.answers_get_lost = 1
    append(log, decision(2))
    await emptied(log)
    assert control.order == ["d1", "d2"]
    append(log, decision(3))
    await emptied(log)
    assert control.order == ["d1", "d2", "d3"]
    shipping.cancel()
    log.close()


async def test_what_the_control_plane_stored_only_in_part_is_sent_on_from_there(tmp_path: Path) -> None:
    log, control = open_log(tmp_path), ControlPlane()
    control.takes_at_most = 7
    for number in range(30):
        append(log, decision(number))
    await log.drain(control, 60)
    assert control.order == [f"d{number}" for number in range(30)]
    log.close()


async def test_a_restart_on_the_same_boot_goes_on_with_the_same_spool(tmp_path: Path) -> None:
    control = ControlPlane()
    first = open_log(tmp_path)
    for number in range(3):
        append(first, decision(number))
    second = open_log(tmp_path)
    assert second.worker == first.worker
    assert second.length == 3
    append(second, decision(3))
    await second.drain(control, 60)
    third = open_log(tmp_path)
    append(third, decision(4))
    await third.drain(control, 60)
    sequences = [sequence for _, sequence in control.stored]
    assert sequences == list(range(sequences[0], sequences[0] + 5))
    assert control.order == [f"d{number}" for number in range(5)]


async def test_after_a_boot_the_old_spool_is_emptied_first_and_a_new_one_begun(tmp_path: Path) -> None:
    control = ControlPlane()
    before = open_log(tmp_path)
    append(before, decision(1))
    after = open_log(tmp_path, boot="next boot")
    assert after.worker != before.worker
    append(after, decision(2))
    await after.drain(control, 60)
    assert control.order == ["d1", "d2"]
    assert [worker for worker, _ in control.stored] == [before.worker, after.worker]
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [after.worker.removeprefix("gw-1.")]


async def test_a_lost_disk_never_reuses_a_sequence(tmp_path: Path) -> None:
    control = ControlPlane()
    for folder in ("one disk", "another disk"):
        log = open_log(tmp_path / folder)
        append(log, decision(len(control.stored)))
        await log.drain(control, 60)
    assert len(control.stored) == 2


async def test_a_full_spool_says_so_and_takes_records_again_once_it_is_emptied(tmp_path: Path) -> None:
    log, control = open_log(tmp_path, max_bytes=600_000), ControlPlane()
    kept = 0
    with pytest.raises(NotKept):
        for number in range(10_000):
            append(log, decision(number))
            kept += 1
    assert log.length == kept
    await log.drain(control, 60)
    append(log, decision(99_999))
    await log.drain(control, 60)
    assert len(control.stored) == kept + 1
    log.close()


async def test_one_organizations_flood_leaves_room_for_the_records_of_others(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=600_000)
    with pytest.raises(NotKept):
        for number in range(10_000):
            append(log, decision(number))
    assert log.length > 1_000
    assert log.trouble() == "backlog"
    others = msgspec.structs.replace(decision(0), organization="umbra")
    for _ in range(100):
        append(log, others)
    with pytest.raises(NotKept):
        append(log, decision(1))
    await log.drain(ControlPlane(), 60)
    assert log.trouble() == ""
    append(log, decision(1))
    log.close()


async def test_a_worker_that_has_refused_nobody_is_not_in_trouble(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=600_000)
    owners = [msgspec.structs.replace(decision(0), organization=f"acme-{number}") for number in range(4)]
    while 8 * log._free() > 600_000:
        for entry in owners:
            append(log, entry)
    assert log.trouble() == ""
    with pytest.raises(NotKept):
        for number in range(10_000):
            append(log, decision(number))
    assert log.trouble() == "backlog"
    log.close()


async def test_records_that_come_together_are_kept_each_for_itself(tmp_path: Path) -> None:
    log, control = open_log(tmp_path, max_bytes=20_000), ControlPlane()
    large = msgspec.structs.replace(decision(2), reason="x" * 30_000)
    log.append_later(CompletionEntry(id="d0", organization="acme"))
    assert log.append_all([decision(1), large, decision(3)]) == [True, False, True]
    assert log.length == 3
    await log.drain(control, 60)
    assert control.order == ["d0", "d1", "d3"]
    first, *_, last = (sequence for _, sequence in control.stored)
    assert last == first + 2
    log.close()


async def test_how_a_call_ended_is_written_soon_and_in_order(tmp_path: Path) -> None:
    log, control = open_log(tmp_path), ControlPlane()
    for number in range(3):
        append(log, decision(number))
        log.append_later(CompletionEntry(id=f"c{number}", organization="acme"))
    assert log.length == 5
    await eventually(lambda: log.length == 6)
    await log.drain(control, 60)
    assert control.order == ["d0", "c0", "d1", "c1", "d2", "c2"]
    log.close()


async def test_ends_of_calls_wait_for_a_full_disk_and_stop_new_calls_when_too_many_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    log, control = open_log(tmp_path), ControlPlane()
    monkeypatch.setattr("gateway.decision_log._MOST_LATER", 3)
    with monkeypatch.context() as patch:
        patch.setattr("gateway.spool.os.write", full)
        for number in range(4):
            log.append_later(CompletionEntry(id=f"c{number}", organization="acme"))
        await asyncio.sleep(0.05)
    with pytest.raises(NotKept):
        append(log, decision(1))
    await asyncio.sleep(0.4)
    append(log, decision(1))
    await log.drain(control, 60)
    assert control.order == ["c0", "c1", "c2", "c3", "d1"]
    log.close()


async def test_a_full_disk_is_noticed_without_a_call_and_so_is_that_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gateway.decision_log._LOOK_EVERY", 0.01)
    monkeypatch.setattr("gateway.decision_log._REMEMBERED", 0.05)
    log = open_log(tmp_path)
    assert log.trouble() == ""
    shipping = asyncio.create_task(log.ship(ControlPlane()))
    with monkeypatch.context() as patch:
        patch.setattr("gateway.spool.Path.write_bytes", full)
        await eventually(lambda: log.trouble() == "disk")
    await eventually(lambda: log.trouble() == "")
    shipping.cancel()
    assert list((tmp_path / "spool").glob("*/tried")) == []
    log.close()


async def test_a_call_that_could_not_be_recorded_is_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    log = open_log(tmp_path)
    append(log, decision(1))
    assert log.trouble() == ""
    monkeypatch.setattr("gateway.spool.os.write", full)
    with pytest.raises(NotKept):
        append(log, decision(2))
    assert log.trouble() == "disk"
    log.close()


async def test_nothing_is_written_after_the_log_was_closed(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, decision(1))
    log.append_later(CompletionEntry(id="d1", organization="acme"))
    log.close()
    with pytest.raises(NotKept):
        append(log, decision(2))
    log.append_later(CompletionEntry(id="d2", organization="acme"))
    await asyncio.sleep(0.01)
    assert open_log(tmp_path).length == 2


async def test_a_disk_that_takes_only_a_part_denies_and_leaves_nothing_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, control = open_log(tmp_path), ControlPlane()
    append(log, decision(1))
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: len(data) // 2])

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for broken in (half, full):
        with monkeypatch.context() as patch:
            patch.setattr("gateway.spool.os.write", broken)
            with pytest.raises(NotKept):
                append(log, decision(2))
    append(log, decision(3))
    await log.drain(control, 60)
    assert control.order == ["d1", "d3"]
    log.close()


async def test_a_record_torn_by_a_kill_is_cut_off_and_the_rest_is_there(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for number in range(5):
        append(log, decision(number))
    segment = next((tmp_path / "spool").glob("*/*.records"))
    whole = segment.read_bytes()
    for cut in (1, 3, 9, 100):
        segment.write_bytes(whole[:-cut])
        control = ControlPlane()
        again = open_log(tmp_path)
        assert again.length == 4
        append(again, decision(7))
        await again.drain(control, 60)
        assert control.order == ["d0", "d1", "d2", "d3", "d7"]
        (segment.parent / "shipped").unlink(missing_ok=True)


async def test_of_what_was_written_together_and_torn_by_a_kill_nothing_is_there(tmp_path: Path) -> None:
    log, control = open_log(tmp_path), ControlPlane()
    append(log, decision(0))
    assert log.append_all([decision(1), decision(2), decision(3)]) == [True] * 3
    segment = next((tmp_path / "spool").glob("*/*.records"))
    segment.write_bytes(segment.read_bytes()[:-1])
    again = open_log(tmp_path)
    append(again, decision(4))
    await again.drain(control, 60)
    assert control.order == ["d0", "d4"]


async def test_records_that_an_earlier_version_left_each_by_itself_are_shipped_before_the_new_ones(
    tmp_path: Path,
) -> None:
    log, control = open_log(tmp_path), ControlPlane()
    assert log.append_all([decision(0), decision(1)]) == [True] * 2
    log.close()
    segment = next((tmp_path / "spool").glob("*/*.records"))
    records = segment.read_bytes()[8:].splitlines()
    frames = [struct.pack(">II", len(record), zlib.crc32(record)) + record for record in records]
    segment.write_bytes(b"".join(frames))
    again = open_log(tmp_path)
    assert again.append_all([decision(2), decision(3)]) == [True] * 2
    control.takes_at_most = 3
    await again.drain(control, 60)
    assert control.order == ["d0", "d1", "d2", "d3"]
    again.close()


def test_a_damaged_segment_loses_no_more_than_what_stands_behind_the_damage(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", boot=BOOT)
    first = spool.next_sequence
    for number in range(9_000):
        spool.append(b"%05d" % number + b"x" * 1000 + b"\n", ["acme"])
    segments = sorted((tmp_path / "s").glob("*.records"))
    assert len(segments) == 3
    content = bytearray(segments[0].read_bytes())
    content[10 * 1014 + 500] ^= 1
    segments[0].write_bytes(content)
    read: list[bytes] = []
    while (batch := spool.read(500, 10**9)) is not None:
        read += b"".join(batch.pieces).splitlines()
        spool.forget(batch.last)
    assert [record[:5] for record in read[:10]] == [b"%05d" % number for number in range(10)]
    goes_on = int(segments[1].stem) - first
    assert [record[:5] for record in read[10:]] == [b"%05d" % number for number in range(goes_on, 9_000)]
    assert not segments[0].exists()


@pytest.mark.parametrize("in_memory", [0, 400, 1_000_000])
def test_records_come_out_in_order_whether_they_are_read_back_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr("gateway.spool._RECENT_BYTES", in_memory)
    spool = Spool(tmp_path / "spool", boot=BOOT)
    written = [b"record %d" % number for number in range(200)]
    first, shipped, remembered = spool.next_sequence, [b""] * 0, 0
    for start in range(0, len(written), 10):
        for piece in (slice(start, start + 1), slice(start + 1, start + 3), slice(start + 3, start + 10)):
            spool.append(b"\n".join([*written[piece], b""]), ["acme"] * len(written[piece]))
        for _ in range(1 if start < 100 else 3):
            recent = spool.recent(7, 40)
            remembered += recent is not None
            batch = recent or spool.read(7, 40)
            assert batch is not None
            assert batch.first == first + len(shipped)
            shipped += b"".join(batch.pieces).splitlines()
            spool.forget(batch.last)
    while (batch := spool.recent(7, 40) or spool.read(7, 40)) is not None:
        shipped += b"".join(batch.pieces).splitlines()
        spool.forget(batch.last)
    assert shipped == written
    assert bool(remembered) == bool(in_memory)
    spool.close()


def test_a_backlog_is_read_back_whole_whatever_was_written_together(tmp_path: Path) -> None:
    spool, sizes = Spool(tmp_path / "spool", boot=BOOT), Random(20261123)
    first, written, read = spool.next_sequence, 0, 0
    for _ in range(400):
        size = sizes.choice((1, 2, 5, 30, 64))
        spool.append(b"".join(b"%d\n" % number for number in range(written, written + size)), ["acme"] * size)
        written += size
    while (batch := spool.read(200, 10**6)) is not None:
        records = [int(record) for record in b"".join(batch.pieces).splitlines()]
        assert records == list(range(read, read + len(records)))
        assert (batch.first - first, batch.last - first) == (read, read + len(records) - 1)
        read += len(records)
        spool.forget(batch.last)
    assert read == written
    spool.close()


def test_a_segment_that_cannot_be_begun_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.spool._SEGMENT_BYTES", 10)
    spool, opened = Spool(tmp_path / "spool", boot=BOOT), os.open
    spool.append(b"before\n" * 5, ["acme"] * 5)

    def full(*_: object) -> int:
        raise OSError(24, "too many open files")

    monkeypatch.setattr("gateway.spool.os.open", full)
    for _ in range(2):
        with pytest.raises(OSError, match="too many"):
            spool.append(b"refused\n", ["acme"])
    monkeypatch.setattr("gateway.spool.os.open", opened)
    sync(spool.unsynced())
    spool.append(b"after\n", ["acme"])
    read = []
    while (batch := spool.read(100, 10**6)) is not None:
        read += b"".join(batch.pieces).split()
        spool.forget(batch.last)
    assert read == [b"before"] * 5 + [b"after"]
    spool.close()


def test_whose_bytes_are_held_is_known_of_records_that_came_mixed_and_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", boot=BOOT)
    spool.append(b"\n".join([b"a" * 100, b"b" * 300, b"c" * 100, b""]), ["acme", "umbra", "acme"])
    spool.append(b"d" * 500 + b"\n", ["acme"])
    assert spool.held_by("umbra") > 300
    assert spool.held_by("acme") > 700
    assert spool.held_by("acme") + spool.held_by("umbra") == spool.size
    assert spool.held_by("nobody") == 0
    spool.close()


def test_what_was_shipped_leaves_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", boot=BOOT)
    for _ in range(9_000):
        spool.append(b"x" * 1000 + b"\n", ["acme"])
    assert spool.size > 9_000_000
    spool.forget(spool.next_sequence - 1)
    assert spool.size == 0
    assert spool.read(1, 1) is None
    again = Spool(tmp_path / "s", boot=BOOT)
    assert again.next_sequence == spool.next_sequence


WRITER = """
import asyncio, sys
from pathlib import Path
from gateway.decision_log import DecisionLog
from tests.gateway.test_decision_log import decision

async def main(folder, start):
    log = DecisionLog(Path(folder), worker="gw-1")
    for number in range(start, start + 100_000, 10):
        numbers = range(number, number + 10)
        assert all(log.append_all([decision(one) for one in numbers]))
        for one in numbers:
            print(one, flush=True)
        await asyncio.sleep(0)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def _killed_writer(folder: Path, round_: int) -> list[str]:
    """What a writer reported as written before it was killed."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(round_ * 1_000_000)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    told = [writer.stdout.readline() for _ in range(50 + 37 * round_)]
    writer.send_signal(signal.SIGKILL)
    told += [line for line in writer.stdout if line.endswith("\n")]
    writer.wait(timeout=60)
    return [f"d{line.strip()}" for line in told]


async def test_killed_again_and_again_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    control = ControlPlane()
    told: list[str] = []
    for round_ in range(4):
        told += await asyncio.to_thread(_killed_writer, tmp_path / "spool", round_)
        if round_ == 1:
            between = DecisionLog(tmp_path / "spool", worker="gw-1")
            control.answers_get_lost = 1
            await between.drain(control, 60)
            between.close()
    log = DecisionLog(tmp_path / "spool", worker="gw-1")
    await log.drain(control, 60)
    await log.drain(control, 60)
    log.close()
    ids = [record.id for record in control.stored.values()]
    assert len(ids) == len(set(ids)) >= 400
    assert set(told) <= set(ids)
    assert len({worker for worker, _ in control.stored}) == 1
