"""How long a call waits for its limits: a quarter second in the product, and in tests of that alone.

On a busy machine a store may take longer, and a call that is denied for it says nothing about what is tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from gateway.counters import redis, sqlite

_LONG = 10.0
# As they were before any test: what `limiters_answer_soon` puts back.
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
