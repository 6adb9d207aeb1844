"""Fixtures for how long a call waits for its limits: ten seconds in tests that do not test the wait itself.

The product waits a quarter of a second. On a busy machine a store may take longer, and a call denied because
of that says nothing about what is tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from gateway.counters import redis, sqlite

_LONG = 10.0
# The product's own values, read before any test: `limiters_answer_soon` restores them.
_SOON = (sqlite.ANSWER_WITHIN, redis._GIVEN_UP_AFTER, redis._DEAD_AFTER)


@contextmanager
def _waiting(in_sqlite: float, in_redis: float, dead_after: float) -> Iterator[None]:
    with (
        patch.object(sqlite, "ANSWER_WITHIN", in_sqlite),
        patch.object(redis, "_GIVEN_UP_AFTER", in_redis),
        patch.object(redis, "_DEAD_AFTER", dead_after),
    ):
        yield


@contextmanager
def waiting_long() -> Iterator[None]:
    with _waiting(_LONG, _LONG, 2 * _LONG):
        yield


@pytest.fixture(autouse=True)
def limiters_wait_long() -> Iterator[None]:
    with waiting_long():
        yield


@pytest.fixture
def limiters_answer_soon(limiters_wait_long: None) -> Iterator[None]:
    with _waiting(*_SOON):
        yield
