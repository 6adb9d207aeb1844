"""Records the product that runs on a data folder, so that other commands can find it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from config.supervisor.keys import write_private
from config.supervisor.stops import CannotStart


@dataclass(frozen=True, slots=True, repr=False)
class Running:
    """`environment` is what a management command needs: the admin's DATABASE_URL and the keys."""

    pid: int
    web_url: str
    gateway_url: str
    internal_url: str
    environment: dict[str, str]

    @property
    def database_url(self) -> str:
        return self.environment["DATABASE_URL"]


def _file(data_dir: Path) -> Path:
    return data_dir / "run.json"


def announce(data_dir: Path, running: Running) -> None:
    write_private(_file(data_dir), asdict(running))


def withdraw(data_dir: Path) -> None:
    _file(data_dir).unlink(missing_ok=True)


def find_running(data_dir: Path) -> Running:
    try:
        running = Running(**json.loads(_file(data_dir).read_text()))
        os.kill(running.pid, 0)
    except (OSError, ValueError, TypeError):
        raise CannotStart(
            f"Nothing runs on {data_dir}: start it with `make up`, or name its folder with --data-dir."
        ) from None
    return running


def adopt_environment(data_dir: Path) -> None:
    """Let this process act as a management command of the product that runs there."""
    os.environ.update(find_running(data_dir).environment)
