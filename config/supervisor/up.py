"""`manage.py up`: checks everything before anything starts, and stops everything together."""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace

from config.env import EnvironmentInvalid, check_given
from config.supervisor import running
from config.supervisor.access import SUPERUSER_PASSWORD
from config.supervisor.cluster import Cluster, answers, is_made, open_cluster
from config.supervisor.health import wait_for_health
from config.supervisor.keys import Keys
from config.supervisor.lines import Printer
from config.supervisor.lock import reserve_ports, take_lock
from config.supervisor.options import Options, read_options
from config.supervisor.product import Product
from config.supervisor.stops import CannotStart
from config.supervisor.supervise import OURS, Child, Supervisor

# Run once everything answers, while the product keeps running; `demo` uses this.
Afterwards = Callable[[Product, Supervisor, Printer], Coroutine[None, None, None]]


def main(
    arguments: Sequence[str], program: str = "manage.py up", afterwards: Afterwards | None = None
) -> int:
    try:
        return _run(read_options(arguments, program), afterwards)
    except (CannotStart, EnvironmentInvalid) as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130


def _run(options: Options, afterwards: Afterwards | None) -> int:
    check_given()
    _check_counted_ports(len(options.workers))
    _make_data_dir(options)
    # Files that the processes write are for this user only; PostgreSQL's user may only enter the folder.
    os.umask(0o077)
    lock = take_lock(options.data_dir, "lock" if options.needs_database else "lock-gateway")
    if options.needs_database:
        # What another version counted may have had other labels.
        shutil.rmtree(options.data_dir / "metrics", ignore_errors=True)
    reserved = reserve_ports(options.listeners(), gateways=len(options.workers))
    keys = Keys(options.data_dir / "secrets.json", os.environ)
    product = Product(options, keys)
    cluster = _open_database(options, keys) if options.needs_database else None
    admin_url = _admin_url(keys, cluster)
    try:
        run = _Run(replace(product, admin_url=admin_url), cluster, lock, afterwards)
        return asyncio.run(run.to_its_end())
    finally:
        for kept in reserved:
            kept.close()


def _check_counted_ports(gateways: int) -> None:
    """Each gateway takes the next port of these two, and none of them may be beyond the last."""
    for name in ("METRICS_PORT", "HANDOVER_ADDRESS"):
        given = os.environ.get(name, "").strip()
        last = 65536 - gateways
        if given and int(given.rpartition(":")[2]) > last:
            raise CannotStart(
                f"{name} is `{given}`, and each of {gateways} gateways takes the next port: choose one up to"
                f" {last}."
            )


def _make_data_dir(options: Options) -> None:
    folder = options.data_dir
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory")
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            number = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
            raise OSError(number, os.strerror(number))
    except OSError as error:
        raise CannotStart(
            f"{folder} cannot be used ({error.strerror}): choose another folder with --data-dir or"
            f" DATA_DIR=…, or run this as the user that owns it."
        ) from None


def _open_database(options: Options, keys: Keys) -> Cluster | None:
    folder = options.data_dir / "postgres"
    own = not os.environ.get("DATABASE_URL")
    if own and is_made(folder) and not keys.are_there:
        raise CannotStart(
            f"The keys of the database in {folder} are gone: put {options.data_dir / 'secrets.json'} back,"
            f" or move that folder away to start empty."
        )
    keys.make_missing()
    return open_cluster(folder, keys[SUPERUSER_PASSWORD]) if own else None


def _admin_url(keys: Keys, cluster: Cluster | None) -> str:
    if cluster is None:
        return os.environ.get("DATABASE_URL", "")
    return cluster.url(keys[SUPERUSER_PASSWORD], "policylayer")


class _Run:
    def __init__(
        self, product: Product, cluster: Cluster | None, lock: int, afterwards: Afterwards | None
    ) -> None:
        self._product = product
        self._cluster = cluster
        self._afterwards = afterwards
        self._printer = Printer()
        self._supervisor = Supervisor(self._printer, lock=lock)
        self._asked_to_stop = asyncio.Event()
        self._announced = False

    async def to_its_end(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop_asked)
        work = asyncio.create_task(self._work())
        stop = asyncio.create_task(self._asked_to_stop.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else 0
        finally:
            await self._end(work, stop)

    async def _end(self, *tasks: asyncio.Task[int] | asyncio.Task[bool]) -> None:
        self._printer.say(OURS, "stopping")
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, CannotStart):
            await tasks[0]
        if self._announced:
            running.withdraw(self._product.options.data_dir)
        await self._supervisor.stop()

    def _stop_asked(self) -> None:
        if self._asked_to_stop.is_set():
            self._supervisor.kill()
        self._asked_to_stop.set()

    async def _work(self) -> int:
        product = self._product
        if product.options.needs_database:
            await self._start_database()
            if await self._supervisor.run_once(product.preparation()) != 0:
                raise CannotStart("The database could not be prepared; the reason is above.")
        for child in product.children():
            await self._supervisor.start(child)
        if product.options.needs_database:
            self._announce()
        await wait_for_health(product.health_checks(), self._printer)
        self._say_where()
        if self._afterwards:
            await self._afterwards(product, self._supervisor, self._printer)
        await self._asked_to_stop.wait()
        return 0

    async def _start_database(self) -> None:
        if self._cluster is None:
            return
        child = Child(
            "postgres",
            tuple(self._cluster.command()),
            self._cluster.environment(),
            self._cluster.data,
            account=self._cluster.account,
            stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown
            rank=0,
        )
        pid = await self._supervisor.start(child)
        while not answers(self._cluster, pid):
            if not self._supervisor.lives(child.name):
                raise CannotStart("PostgreSQL did not come up; its own words are above.")
            await asyncio.sleep(0.02)

    def _announce(self) -> None:
        product = self._product
        found = running.Running(
            pid=os.getpid(),
            web_url=product.web_url,
            gateway_url=product.gateway_url,
            internal_url=product.internal_url,
            environment=product.management_environment(),
        )
        running.announce(product.options.data_dir, found)
        self._announced = True

    def _say_where(self) -> None:
        product = self._product
        if "web" in product.options.parts:
            self._printer.say(OURS, f"the site:    {product.web_url}/")
            if product.mail_folder:
                self._printer.say(OURS, f"its mail:    a file each in {product.mail_folder}")
        if count := len(product.options.workers):
            workers = f" ({count} workers)" if count > 1 else ""
            self._printer.say(OURS, f"the gateway: {product.gateway_url}/mcp/<server>/{workers}")
        self._printer.say(OURS, f"everything is kept in {product.options.data_dir}; Ctrl-C stops it")
