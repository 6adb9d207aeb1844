"""Reports a server whose tools differ from its last scan; until the next bundle, a changed tool has no class.

Every list of tools that passes is compared with the digests in the bundle. A tool that differs loses its
class here, and the control plane is asked to scan for itself: it learns of no tool from us. The cost of
looking is bounded for each organization, whatever its servers send.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, TypeAlias

from gateway.admitted import Admitted
from gateway.protocol.strict_json import Json, encode
from gateway_config.wire.digest import LEFT_OUT, DefinitionUnusable, definition_digest
from gateway_config.wire.messages import DriftReport
from policies.language.compile import CompiledPolicy, without_class

_log: Final = logging.getLogger(__name__)

REPORTED_EVERY: Final = 60.0
"""The shortest time between two reports about one server, in seconds."""
SAME_REPORTED_EVERY: Final = 900.0
_SHIPPED_AT_ONCE: Final = 100
_LONGEST_PAUSE: Final = 30.0

# What is digested on the event loop while others wait: for so long per list, and nothing longer than this.
_INLINE_SECONDS: Final = 0.002
_INLINE_BYTES: Final = 8_192
# What one organization's servers may cost in all: at most this much saved up, and this share of the time.
_MOST_SAVED_SECONDS: Final = 2.0
_SHARE: Final = 0.05
_REMEMBERED: Final = 20_000

Place: TypeAlias = tuple[str, str]
Send: TypeAlias = Callable[[list[DriftReport]], Awaitable[None]]


@dataclass(slots=True)
class _Moved:
    """The tools of one server that differ from the bundle, for as long as that bundle is in force."""

    revision: int
    tools: set[str] = field(default_factory=set)
    without: dict[str, CompiledPolicy] = field(default_factory=dict)
    """Policies in which these tools have no class, by the id of the policy's revision."""


@dataclass(slots=True)
class _Savings:
    left: float
    at: float


@dataclass(frozen=True, slots=True)
class _Told:
    what: frozenset[str]
    at: float


@dataclass(frozen=True, slots=True)
class _Shown:
    """A definition as it was listed. `text`: a hash of its text, to know it when it is listed again."""

    name: str
    definition: dict[str, Json]
    size: int
    text: bytes


class DriftWatch:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._digests: OrderedDict[bytes, str] = OrderedDict()
        self._moved: dict[Place, _Moved] = {}
        self._savings: dict[str, _Savings] = {}
        self._told: dict[Place, _Told] = {}
        self._waiting: dict[Place, DriftReport] = {}
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="digest")
        self._busy: set[str] = set()
        self._news = asyncio.Event()

    def close(self) -> None:
        self._aside.shutdown(wait=False, cancel_futures=True)

    def moved(self, admitted: Admitted, tool: str) -> bool:
        """Return whether the tool was seen to differ from the bundle's: no approval then holds for it."""
        known = self._moved.get(_place(admitted))
        return known is not None and known.revision == admitted.organization.revision and tool in known.tools

    def policy(self, admitted: Admitted, tool: str | None) -> CompiledPolicy | None:
        """Return the grant's policy as it applies to this tool: a tool that has drifted has no class."""
        compiled, policy = admitted.grant.compiled, admitted.grant.policy_id
        if not self._moved or compiled is None or policy is None or tool is None:
            return compiled
        if not self.moved(admitted, tool):
            return compiled
        known = self._moved[_place(admitted)]
        found = known.without.get(policy)
        if found is None:
            found = known.without[policy] = without_class(compiled, known.tools)
        return found

    def look(self, admitted: Admitted, tools: Iterable[Json], *, whole: bool) -> None:
        """Look at a list of tools on its way to a client. `whole`: the list has no other pages."""
        known, listed = admitted.server.tools, [named for named in map(_named, tools) if named is not None]
        suspect = {f"+{name}" for name, _ in listed if name not in known}
        if whole:
            names = {name for name, _ in listed}
            suspect |= {f"-{name}" for name in known if name not in names}
        shown = [_shown(name, tool) for name, tool in listed if name in known and known[name].digest]
        rest = self._look_at(admitted, shown, suspect, until=time.perf_counter() + _INLINE_SECONDS)
        if rest and not self._look_aside(admitted, rest):
            suspect.add("?")  # too much of it is new to us: a scan has the time
        self._note(admitted, suspect)

    async def ship(self, send: Send) -> None:
        """Report to the control plane, for ever. A failed report is retried; scans also come without one."""
        pause = 1.0
        while True:
            await self._news.wait()
            some = dict(list(self._waiting.items())[:_SHIPPED_AT_ONCE])
            try:
                await send(list(some.values()))
            except Exception as error:
                _log.warning("drift could not be reported: %s", type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = 1.0
            for place in some:
                self._waiting.pop(place, None)
            if not self._waiting:
                self._news.clear()

    # Looking

    def _look_at(
        self, admitted: Admitted, shown: Sequence[_Shown], suspect: set[str], *, until: float
    ) -> list[_Shown]:
        """Return what is left: definitions not seen before that take longer than others should wait."""
        rest = []
        for one in shown:
            digest = self._digests.get(one.text)
            if digest is None:
                began = time.perf_counter()
                if one.size > _INLINE_BYTES or began > until or not self._may_spend(admitted):
                    rest.append(one)
                    continue
                digest = self._remember(one, _digest(one.definition))
                self._spend(admitted, time.perf_counter() - began)
            if digest != admitted.server.tools[one.name].digest:
                suspect.add(f"~{one.name} {digest}")
                self._note_moved(admitted, one.name)
        return rest

    def _look_aside(self, admitted: Admitted, rest: Sequence[_Shown]) -> bool:
        """Digest on a thread, one list of an organization at a time. False if it is busy or out of time."""
        organization = admitted.organization.organization
        if organization in self._busy or not self._may_spend(admitted):
            return False
        self._busy.add(organization)
        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._aside, _digests, rest).add_done_callback(
            lambda done: self._looked(admitted, rest, done)
        )
        return True

    def _looked(
        self, admitted: Admitted, rest: Sequence[_Shown], done: asyncio.Future[tuple[list[str], float]]
    ) -> None:
        self._busy.discard(admitted.organization.organization)
        if done.cancelled() or done.exception() is not None:
            return
        digests, took = done.result()
        self._spend(admitted, took)
        for one, digest in zip(rest, digests, strict=True):
            self._remember(one, digest)
        suspect: set[str] = set()
        self._look_at(admitted, rest, suspect, until=0)
        self._note(admitted, suspect)

    def _remember(self, one: _Shown, digest: str) -> str:
        if len(self._digests) >= _REMEMBERED:
            self._digests.popitem(last=False)
        self._digests[one.text] = digest
        return digest

    def _may_spend(self, admitted: Admitted) -> bool:
        return self._saved(admitted).left > 0

    def _spend(self, admitted: Admitted, seconds: float) -> None:
        self._saved(admitted).left -= seconds

    def _saved(self, admitted: Admitted) -> _Savings:
        now = self._clock()
        organization = admitted.organization.organization
        saved = self._savings.setdefault(organization, _Savings(_MOST_SAVED_SECONDS, now))
        saved.left = min(_MOST_SAVED_SECONDS, saved.left + _SHARE * (now - saved.at))
        saved.at = now
        return saved

    # Noting the outcome

    def _note_moved(self, admitted: Admitted, tool: str) -> None:
        known, revision = self._moved.get(_place(admitted)), admitted.organization.revision
        if known is None or known.revision < revision:
            known = self._moved[_place(admitted)] = _Moved(revision)
        if known.revision > revision:
            return  # it was digested for so long that another bundle has come into force
        if tool not in known.tools:
            known.tools.add(tool)
            known.without.clear()

    def _note(self, admitted: Admitted, suspect: set[str]) -> None:
        if not suspect:
            return
        place, now, what = _place(admitted), self._clock(), frozenset(suspect)
        told = self._told.get(place)
        if told is not None:
            rest = SAME_REPORTED_EVERY if told.what == what else REPORTED_EVERY
            if now - told.at < rest:
                return
        self._told[place] = _Told(what, now)
        self._waiting[place] = DriftReport(*place)
        self._news.set()

    def tick(self) -> None:
        """Forget what no longer holds anyone back."""
        now = self._clock()
        for place in [place for place, told in self._told.items() if now - told.at >= SAME_REPORTED_EVERY]:
            del self._told[place]
        rested = [
            one for one, saved in self._savings.items() if now - saved.at >= _MOST_SAVED_SECONDS / _SHARE
        ]
        for organization in rested:
            del self._savings[organization]


def _place(admitted: Admitted) -> Place:
    return admitted.organization.organization, admitted.server.id


def _named(tool: Json) -> tuple[str, dict[str, Json]] | None:
    name = tool.get("name") if isinstance(tool, dict) else None
    return (name, tool) if isinstance(tool, dict) and isinstance(name, str) else None


def _shown(name: str, tool: dict[str, Json]) -> _Shown:
    text = encode({key: value for key, value in tool.items() if key not in LEFT_OUT})
    return _Shown(name, tool, len(text), blake2b(text, digest_size=16).digest())


def _digest(definition: dict[str, Json]) -> str:
    try:
        return definition_digest(definition)
    except DefinitionUnusable:
        return "unusable"


def _digests(shown: Sequence[_Shown]) -> tuple[list[str], float]:
    began = time.thread_time()
    return [_digest(one.definition) for one in shown], time.thread_time() - began
