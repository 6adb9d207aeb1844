"""A supervisor with children that do nothing, run as a process of its own so that it can be killed.

Arguments: a folder, and the name of one of the scenes below. Children write their pids into the folder.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from config.supervisor.lines import Printer
from config.supervisor.lock import take_lock
from config.supervisor.supervise import Child, Patience, Supervisor

NOTE = "import os, pathlib; pathlib.Path('{name}.pid').write_text(str(os.getpid())); "
SLEEPER = NOTE + "import time; time.sleep(600)"
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {inner!r}]); " + SLEEPER
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER

SCENES = {
    "family": {"parent": PARENT.format(name="parent", inner=SLEEPER.format(name="grandchild"))},
    "stubborn": {
        "meek": SLEEPER.format(name="meek"),
        "stubborn": STUBBORN.format(name="stubborn"),
    },
}


async def run(folder: Path, scene: str) -> None:
    lock = take_lock(folder)
    supervisor = Supervisor(Printer(), Patience(grace_seconds=1.0), lock)
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    for name, program in SCENES[scene].items():
        await supervisor.start(Child(name, (sys.executable, "-c", program), dict(os.environ), folder))
    await asked.wait()
    await supervisor.stop()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
