"""Which approvals were used, and by which decision, as far as this worker heard; kept on its disk.

The control plane lets an approval be used once. If its database is restored from a backup, it no longer knows
what was used since, and would let the same call be sent again; a worker that heard of it does not send it.
"""

import logging
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway_config.wire.approvals import ClaimAnswer

_log: Final = logging.getLogger(__name__)

# More than people approve in the two days after which no approval is valid any longer.
_MOST: Final = 10_000


class UsedApprovals:
    """`path`: the file they are kept in; if None, they are remembered by this process alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._by: OrderedDict[str, str] = OrderedDict()
        self._lines = 0
        if path is not None and path.exists():
            for line in filter(None, path.read_text("ascii", errors="ignore").splitlines()):
                approval, _, decision = line.partition(" ")
                self._note(approval, decision)
            self._write_anew(path)

    def note(self, approval: str, decision: str) -> None:
        if self._by.get(approval) != decision:
            self._note(approval, decision)
            self._append(_line(approval, decision))

    def forget(self, approval: str, decision: str) -> None:
        """Take back that it was used by this decision, which sent nothing."""
        if self._by.get(approval) == decision:
            self.note(approval, "")

    def may_use(self, answer: ClaimAnswer, decision: str) -> bool:
        """For an answer that says so: true if nobody else has used the approval, as far as is known here."""
        return self._by.get(answer.id, "") in ("", decision, answer.given_back_by)

    def _note(self, approval: str, decision: str) -> None:
        self._by[approval] = decision
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
        if self._lines > 2 * _MOST:
            self._write_anew(self._path)

    def _write_anew(self, path: Path) -> None:
        self._lines = len(self._by)
        beside = path.with_name(f"{path.name}.new")
        with suppress(OSError):  # then the longer file stays in use
            beside.write_text("".join(map(_line, self._by, self._by.values())), "ascii")
            beside.replace(path)


def _line(approval: str, decision: str) -> str:
    """Begins with its line break, so that a line cut short by a full disk spoils no other."""
    return f"\n{approval} {decision}"
