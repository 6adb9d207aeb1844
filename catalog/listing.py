"""Reads files that list one tool per line."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LONGEST_LINE: Final = 4 << 20


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file; of one that is too long only LONGEST_LINE + 1 bytes. Raises OSError."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        while line := file.readline(LONGEST_LINE + 1):
            yield line
            while not line.endswith(b"\n") and (line := file.readline(LONGEST_LINE)):
                pass  # the rest of a line that is refused
