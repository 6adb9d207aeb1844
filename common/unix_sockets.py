"""Unix sockets with names of any length: the kernel takes about a hundred bytes, and folders are deeper."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Valid inside the block. Raises OSError if the folder does not exist."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def connected(path: Path) -> socket.socket:
    """Connects without waiting: OSError if nobody is listening, or the listener is behind with its work."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        with short_name(path) as name:
            one.connect(name)
    except BaseException:
        one.close()
        raise
    return one


def listening(path: Path) -> socket.socket:
    """Listens for this user alone. A socket that an earlier process left behind is removed."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    path.unlink(missing_ok=True)
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        with short_name(path) as name:
            one.bind(name)
        path.chmod(0o600)
        one.listen(512)
    except BaseException:
        one.close()
        raise
    return one
