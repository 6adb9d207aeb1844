"""Which approvals were used, and by which decision: heard of here, and kept on this disk.

The control plane lets an approval be used once. Where its database is restored from a backup it knows no
more of what was used since, and would let the same call be sent again; whoever heard of it does not send it.
"""

import logging
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway_config.wire.approvals import ClaimAnswer

_log: Final = logging.getLogger(__name__)

# More than people approve in the two days after which no approval is good any more.
_MOST: Final = 10_000


class UsedApprovals:
    """`path`: none for what is remembered by this process alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._by: OrderedDict[str, str] = OrderedDict()
        self._lines = 0
        if path is not None and path.exists():
            for line in path.read_text("ascii", errors="ignore").splitlines():
                approval, _, decision = line.partition(" ")
                self._note(approval, decision)
            self._write_anew(path)

    def note(self, approval: str, decision: str) -> None:
        if self._by.get(approval) != decision:
            self._note(approval, decision)
            self._append(f"{approval} {decision}\n")

    def forget(self, approval: str, decision: str) -> None:
        """It was used by this decision, which sent nothing."""
        if self._by.get(approval) == decision:
            self.note(approval, "")

    def may_use(self, answer: ClaimAnswer, decision: str) -> bool:
        """Of an answer that says so: whether nobody else has used it for all that is known here."""
        return self._by.get(answer.id, "") in ("", decision, answer.given_back_by)

    def _note(self, approval: str, decision: str) -> None:
        self._by[approval] = decision
        self._by.move_to_end(approval)
        if len(self._by) > _MOST:
            self._by.popitem(last=False)

    def _append(self, line: str) -> None:
        """What the kernel has outlives this process; no call waits for a disk."""
        if self._path is None:
            return
        try:
            with self._path.open("a", encoding="ascii") as file:
                file.write(line)
        except OSError as error:
            _log.warning("what was approved and sent is remembered by this process alone: %s", error.strerror)
        self._lines += 1
        if self._lines > 2 * _MOST:
            self._write_anew(self._path)

    def _write_anew(self, path: Path) -> None:
        self._lines = len(self._by)
        beside = path.with_name(f"{path.name}.new")
        with suppress(OSError):  # then the longer one goes on
            beside.write_text("".join(f"{approval} {by}\n" for approval, by in self._by.items()), "ascii")
            beside.replace(path)
