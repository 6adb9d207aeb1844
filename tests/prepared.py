"""What a product's first start makes (database, migrations, catalogue, keys), made once per test run.

A product started on a copy has nothing left to prepare. Tests of the first start itself use no copy.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from config.supervisor.access import SUPERUSER_PASSWORD
from config.supervisor.cluster import Cluster, open_cluster
from config.supervisor.keys import Keys
from config.supervisor.options import read_options
from config.supervisor.product import Product
from tests import postgres

VARIABLE: Final = "POLICYLAYER_TEST_PREPARED"
# If it is killed, the operating system already has what it committed; no power fails during a test.
NOT_DURABLE: Final = "\nfsync = off\nfull_page_writes = off\n"


def place() -> Path:
    """The run's one folder: with pytest-xdist the controller makes it; its workers inherit the variable."""
    if not os.environ.get(VARIABLE):
        folder = Path(tempfile.mkdtemp(prefix="policylayer-prepared-"))
        folder.chmod(0o711)  # the account PostgreSQL runs as may enter it, not list it
        os.environ[VARIABLE] = str(folder)
        atexit.register(_remove, folder, os.getpid())
    return Path(os.environ[VARIABLE])


def copy_into(data_dir: Path) -> Path:
    """Copy the product; return the folder of its database, which the caller removes.

    The database is elsewhere because PostgreSQL's account cannot enter the test run's own folder.
    """
    home = Path(tempfile.mkdtemp(prefix="policylayer-product-"))
    home.chmod(0o711)
    data_dir.mkdir(parents=True)
    data_dir.chmod(0o711)
    copy_apart(keys=data_dir, database=home / "postgres")
    (data_dir / "postgres").symlink_to(home / "postgres")
    return home


def copy_apart(*, keys: Path, database: Path) -> None:
    """Copy the keys into the folder `keys`, and the database as the folder `database`."""
    original = _original()
    shutil.copy2(original / "secrets.json", keys)
    # The files keep their owner, the account PostgreSQL runs as.
    subprocess.run(["cp", "-a", str((original / "postgres").resolve()), str(database)], check=True)


def _original() -> Path:
    folder = place()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder / "product", ignore_errors=True)
            _make(folder / "product")
            (folder / "complete").touch()
    return folder / "product"


def _make(data_dir: Path) -> None:
    data_dir.mkdir()
    data_dir.chmod(0o711)
    keys = Keys(data_dir / "secrets.json", {})
    keys.make_missing()
    password = keys[SUPERUSER_PASSWORD]
    cluster = open_cluster(data_dir / "postgres", password, durable=False)
    with (cluster.data / "postgresql.conf").open("a") as settings:
        settings.write(NOT_DURABLE)
    options = read_options(["--data-dir", str(data_dir)])
    _prepare(cluster, Product(options, keys, cluster.url(password, "policylayer"), {}))


def _prepare(cluster: Cluster, product: Product) -> None:
    server = postgres.launch(cluster)
    try:
        postgres.wait_until_ready(cluster, server)
        preparation = product.preparation()
        subprocess.run(
            preparation.command,
            cwd=preparation.folder,
            env=dict(preparation.environment),
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=300,
        )
    finally:
        server.send_signal(signal.SIGINT)  # this shutdown writes everything out: the files are copied
        server.wait(120)


def _remove(folder: Path, made_by: int) -> None:
    if os.getpid() == made_by:
        shutil.rmtree(folder, ignore_errors=True)
