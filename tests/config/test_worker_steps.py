"""What every worker does beside its tasks goes on when one part of it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config import worker_steps
from config.worker_steps import SIGN_OF_LIFE, Standby
from gateway_config import tasks


def test_a_sign_of_life_that_cannot_be_written_is_named_and_holds_up_no_publishing(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DATA_DIR = tmp_path / "gone"
    monkeypatch.setattr(worker_steps, "LOOK_EVERY_SECONDS", 0.01)
    standby, published = Standby(None), []

    def publish() -> None:
        published.append(True)
        standby.stop(None)

    monkeypatch.setattr(tasks, "publish_overdue", publish)
    standby.start(None)
    assert standby._thread is not None
    standby._thread.join(timeout=1)
    standby.stop(None)
    assert published
    alive = tmp_path / "gone" / SIGN_OF_LIFE
    assert set(caplog.messages) == {f"{alive} cannot be written (No such file or directory); trying again"}
