"""Python environments of foreign programs, exactly as their committed locks say.

Each is made once, under `.cache/clients/<name>/<hash of the lock>`, and shared by all test processes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = ROOT / "tests" / "clients"
CACHE = ROOT / ".cache" / "clients"
MAKING_SECONDS = 600


class ForeignUnavailable(Exception):  # noqa: N818
    """The environment cannot be made here; the text says why."""


def foreign_environment(name: str) -> Path:
    """The folder of the environment, made if missing; raises ForeignUnavailable."""
    locked = (CLIENTS / name / "pyproject.toml").read_bytes() + (CLIENTS / name / "uv.lock").read_bytes()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    environment = CACHE / name / f"{hashlib.sha256(locked).hexdigest()[:16]}-{version}"
    complete = environment / ".complete"
    if not complete.exists():
        with alone(name):
            if not complete.exists():
                _make(name, environment)
                complete.touch()
    return environment


def foreign_program(name: str, program: str = "python") -> Path:
    """A program of the environment. Where that cannot be made the test is skipped with the reason; in CI it
    fails."""
    try:
        return foreign_environment(name) / "bin" / program
    except ForeignUnavailable as unavailable:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{name}: {unavailable}")


@contextmanager
def running_old_server() -> Iterator[str]:
    """The URL of a server of the 1.x SDK that speaks HTTP+SSE only."""
    python = foreign_program("mcp-1x")
    process = subprocess.Popen(
        [str(python), str(CLIENTS / "mcp-1x" / "old_server.py")],
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ.get("PATH", "")},
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, "the server did not start"
        yield url
    finally:
        process.kill()
        process.wait(timeout=60)
        process.stdout.close()


@contextmanager
def running_awslabs_iam(aws_endpoint: str = "http://127.0.0.1:1") -> Iterator[str]:
    """The URL of the vendor's IAM server, as published, behind a bridge to streamable HTTP.

    It lists its tools without an account. Its calls go to `aws_endpoint` and nowhere else.
    """
    proxy = foreign_program("awslabs-iam", "mcp-proxy")
    program = [str(proxy.with_name("awslabs.iam-mcp-server")), "--allow-write", "--no-confirmation"]
    made_up = {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "AWS_ENDPOINT_URL": aws_endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "*",
    }
    process = subprocess.Popen(
        [str(proxy), "--host", "127.0.0.1", "--port", "0", "--pass-environment", "--", *program],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ.get("PATH", ""), **made_up},
    )
    assert process.stderr is not None
    # The rest of its output is read and dropped, so that it never blocks on a full pipe.
    reader = threading.Thread(target=process.stderr.read)
    try:
        url = f"{_announced_address(process.stderr)}/mcp"
        reader.start()
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)
        if reader.ident is not None:
            reader.join(timeout=60)
        process.stderr.close()


def _announced_address(lines: IO[str]) -> str:
    for line in lines:
        if found := re.search(r"running on (http://[0-9.]+:\d+)", line):
            return found[1]
    raise AssertionError("the bridge did not start")


def find_uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _make(name: str, environment: Path) -> None:
    uv = find_uv()
    if uv is None:
        raise ForeignUnavailable("uv is not installed")
    shutil.rmtree(environment, ignore_errors=True)  # left by an interrupted run
    made = subprocess.run(
        [uv, "sync", "--frozen", "--quiet", "--project", str(CLIENTS / name), "--python", sys.executable],
        capture_output=True,
        text=True,
        timeout=MAKING_SECONDS,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment), "VIRTUAL_ENV": ""},
    )
    if made.returncode != 0:
        raise ForeignUnavailable(f"uv could not make it: {made.stderr.strip()[-300:]}")


@contextmanager
def alone(name: str) -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
