"""The log of an error holds its kind and its place, and nothing that came from outside."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Final

import pytest

from gateway.logs import _Lines, tell_of_failures

CANARY: Final = "canary-7e02"


async def _never_awaited() -> None:
    raise ValueError(CANARY)


def _fails(_: bytes) -> None:
    raise UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY)


async def _in_a_task() -> None:
    task = asyncio.ensure_future(_never_awaited())
    await asyncio.wait([task])
    del task


async def _in_a_callback() -> None:
    asyncio.get_running_loop().call_soon(_fails, CANARY.encode())
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@pytest.mark.parametrize("fail", [_in_a_task, _in_a_callback])
async def test_what_nobody_caught_is_told_without_its_words(
    fail: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    tell_of_failures(asyncio.get_running_loop())
    await fail()  # type: ignore[misc]
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    line = _Lines().format(record)
    assert CANARY not in line
    told = json.loads(line)
    assert told["exception"] in ("ValueError", "UnicodeDecodeError")
    assert __file__ in told["place"]
