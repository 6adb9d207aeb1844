"""What a spool does with its files when the disk fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gateway.decision_log import DecisionLog
from gateway.spool import Spool, sync


def test_a_disk_that_cannot_be_synced_costs_no_descriptor(tmp_path: Path) -> None:
    cannot_be_synced, other_end = os.pipe()
    behind = os.open(tmp_path / "segment", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="Invalid argument"):
        sync([cannot_be_synced, behind])
    os.close(other_end)
    for descriptor in (cannot_be_synced, behind):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


async def test_a_log_whose_disk_is_gone_is_closed_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = DecisionLog(tmp_path / "spool", worker="gw-1")
    log._spool._shipped += 1
    shutil.rmtree(tmp_path / "spool")
    log.close()
    assert "records cannot be written to the disk of DATA_DIR" in caplog.text


def test_a_spool_whose_disk_is_gone_keeps_no_descriptor(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", boot="b")
    spool._shipped += 1
    shutil.rmtree(tmp_path / "spool")
    with pytest.raises(OSError, match="No such file"):
        spool.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(spool._written)
