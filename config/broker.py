"""The embedded broker: a folder with one file per message.

Kombu's own transport writes a message in place, where a worker may read half of it and stop. Here it is
written under another name and renamed. There is one queue, named by the routing key, and no fanout.
"""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem

logger = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        known = str(self.transport_options["queue"])
        return [known] if routing_key == known else []

    def _queue_bind(self, *_: Any) -> None:
        """Do nothing: `_lookup` needs no bindings."""

    def _size(self, queue: str) -> int:
        """Count the messages. Called whenever a queue is declared, even before the folder exists."""
        try:
            return len(list(Path(self.data_folder_in).glob(f"*.{queue}.msg")))
        except OSError:
            return 0

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        folder = _there(self.data_folder_out)
        name = f"{time.time_ns():020d}_{uuid4()}.{queue}.msg"
        aside = folder / f".{name}"
        aside.write_text(json.dumps(payload), "utf-8")
        aside.rename(folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        try:
            return self._claim(queue)
        except OSError as problem:
            logger.error("the broker's folder cannot be read (%s)", type(problem).__name__)
            time.sleep(1)
            raise Empty from None

    def _claim(self, queue: str) -> Any:
        folder, claimed = _there(self.data_folder_in), _there(self.processed_folder)
        for name in sorted(os.listdir(folder)):  # noqa: PTH208 - fifty times a second; the names are enough
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            try:
                # Only one rename succeeds, however many workers see the file.
                mine = (folder / name).rename(claimed / name)
                text = mine.read_text("utf-8")
                mine.unlink()
                return json.loads(text)
            except FileNotFoundError:
                continue
            except ValueError:
                logger.error("a file in the broker's folder was not a message and was deleted: %s", name)
        raise Empty


def _there(folder: str) -> Path:
    """Create the folder when it is needed: someone may delete it, and lost messages do no harm."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path


class Transport(filesystem.Transport):
    Channel = Channel
