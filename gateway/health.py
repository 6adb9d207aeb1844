"""/healthz: the process serves. /readyz: it has a verified configuration to serve by."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from gateway.config_store import ConfigStore

Route: TypeAlias = Callable[[], tuple[int, bytes, str]]

_TEXT: Final = "text/plain; charset=utf-8"


def routes(store: ConfigStore) -> Mapping[str, Route]:
    def healthz() -> tuple[int, bytes, str]:
        return 200, b"ok\n", _TEXT

    def readyz() -> tuple[int, bytes, str]:
        if store.ready:
            return 200, b"ready\n", _TEXT
        return 503, b"no verified configuration yet\n", _TEXT

    return {"/healthz": healthz, "/readyz": readyz}
