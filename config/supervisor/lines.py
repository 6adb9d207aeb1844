"""Prints the output of the processes, one line at a time, each with the name of its process."""

import re
import sys
from typing import TextIO

COLOURS = (36, 35, 33, 32, 34, 96, 95, 93)
LONGEST_LINE = 16_384
# A log line may quote a stranger: control characters in it must not reach the operator's terminal.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Printer:
    def __init__(self, out: TextIO | None = None, width: int = 8) -> None:
        self._out = out or sys.stdout
        self._width = width
        self._coloured = self._out.isatty()
        self._colours: dict[str, int] = {}

    def say(self, name: str, line: str) -> None:
        label = f"{name:<{self._width}}"
        if self._coloured:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            label = f"\x1b[{colour}m{label}\x1b[0m"
        self._write(f"{label} {_STEERING.sub('?', line)}\n")

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):
            # Nobody reads the output any more (`make up | head`). The product keeps running.
            pass


class LineCutter:
    """Turns bytes into whole lines; an endless line is cut rather than kept in memory."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            whole.append(self._rest)
            self._rest = b""
        return [_text(line) for line in whole]

    def end(self) -> list[str]:
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    return line[:LONGEST_LINE].decode("utf-8", "replace").rstrip("\r")
