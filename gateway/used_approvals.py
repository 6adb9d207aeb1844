"""Which approvals were used, and by which decision, as far as this worker heard; kept on its disk.

The control plane lets an approval be used once. If its database is restored from a backup, it no longer knows
what was used since, and would let the same call be sent again; a worker that heard of it does not send it.
That worker goes on knowing of the use when the restored database gives the approval to another decision.
"""

import logging
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway_config.wire.approvals import ClaimAnswer

_log: Final = logging.getLogger(__name__)

# Before a decision that gave the approval back.
_NOT: Final = "-"
# More than people approve in the two days after which no approval is valid any longer.
_MOST: Final = 10_000


class UsedApprovals:
    """`path`: the file they are kept in; if None, they are remembered by this process alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._by: OrderedDict[str, set[str]] = OrderedDict()
        self._lines, self._most_lines = 0, _MOST
        if path is not None and path.exists():
            for line in filter(None, path.read_text("ascii", errors="ignore").splitlines()):
                self._read(line)
            self._write_anew(path)

    def note(self, approval: str, decision: str) -> None:
        if decision not in self._by.get(approval, ()):
            self._note(approval, decision)
            self._append(_line(approval, decision))

    def forget(self, approval: str, decision: str) -> None:
        """Take back that it was used by this decision, which sent nothing."""
        if decision in self._by.get(approval, ()):
            self._by[approval].discard(decision)
            self._append(_line(approval, f"{_NOT}{decision}"))

    def may_use(self, answer: ClaimAnswer, decision: str) -> bool:
        """For an answer that says so: true if nobody else has used the approval, as far as is known here.

        News of this very use may have come before the answer.
        """
        return self._by.get(answer.id, set()) <= {decision, *answer.given_back}

    def _read(self, line: str) -> None:
        """A line cut short takes nothing back."""
        approval, _, decision = line.partition(" ")
        if decision.startswith(_NOT):
            self._by.get(approval, set()).discard(decision.removeprefix(_NOT))
        elif decision:
            self._note(approval, decision)

    def _note(self, approval: str, decision: str) -> None:
        self._by.setdefault(approval, set()).add(decision)
        self._by.move_to_end(approval)
        if len(self._by) > _MOST:
            self._by.popitem(last=False)

    def _append(self, line: str) -> None:
        """What the kernel has outlives this process; no call waits for the disk."""
        if self._path is None:
            return
        try:
            with self._path.open("a", encoding="ascii") as file:
                file.write(line)
        except OSError as error:
            _log.warning(
                "which approvals were used is known until a restart only: %s",
                error.strerror,
            )
        self._lines += 1
        if self._lines > self._most_lines:
            self._write_anew(self._path)

    def _write_anew(self, path: Path) -> None:
        lines = [_line(approval, decision) for approval, by in self._by.items() for decision in sorted(by)]
        self._lines, self._most_lines = len(lines), len(lines) + _MOST
        beside = path.with_name(f"{path.name}.new")
        with suppress(OSError):  # then the longer file stays in use
            beside.write_text("".join(lines), "ascii")
            beside.replace(path)


def _line(approval: str, decision: str) -> str:
    """Begins with its line break, so that a line cut short by a full disk spoils no other."""
    return f"\n{approval} {decision}"
