"""The configuration this worker enforces: every organization's last good bundle, in memory and on disk.

A bundle is applied only if it is signed with a known key, belongs to the organization it names, loads as a
whole, and is not behind any this worker has applied. A rejected one changes nothing: the last good stays.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias

from common.memory import give_back_memory
from gateway.config_files import ConfigFiles, Contact, Mark, read_bundle
from gateway.time_of_day import TimeOfDay
from gateway.token_owners import Beginnings, Owners
from gateway_config.wire.bundle import Bundle, BundleInvalid
from gateway_config.wire.codec import decode_bundle, named_parts
from gateway_config.wire.grants import LoadedGrant, LoadedPart, load_part, parts_of
from gateway_config.wire.loader import NO_PARTS, Lease, LoadedOrganization, load_bundle
from gateway_config.wire.messages import Ack, Envelope, SignedBundle
from gateway_config.wire.signing import VerifyKeys, verify

_log: Final = logging.getLogger(__name__)

_CONTACT_KEPT_EVERY: Final = 10.0
_CLOCK_BEHIND: Final = 60.0
_LARGE: Final = 4_194_304

Swapped: TypeAlias = Callable[[LoadedOrganization], None]


@dataclass(slots=True)
class _Held:
    """One organization's bundle. From disk it is verified and read at start, and compiled at first use."""

    envelope: Envelope
    lease: Lease
    parts: Sequence[LoadedPart]
    bundle: Bundle | None = None
    loaded: LoadedOrganization | None = None

    def beginnings(self) -> dict[str, Beginnings]:
        """Return the beginnings of its tokens by digest: what is under one digest never changes."""
        return {part.digest or self.envelope.hash: part.rows.beginnings for part in self.parts}


@dataclass(frozen=True, slots=True)
class _State:
    """The configuration of all organizations. No two states have the same `version`."""

    held: Mapping[str, _Held]
    owners: Owners
    version: int = field(default_factory=count().__next__)


class ConfigStore:
    def __init__(self, folder: Path, keys: VerifyKeys, time_of_day: TimeOfDay | None = None) -> None:
        """Read what is on disk; a file that cannot be used is passed over for the previous one."""
        self._files = ConfigFiles(folder)
        self._keys = keys
        self._one_at_a_time = asyncio.Lock()
        self._one_contact_at_a_time = asyncio.Lock()
        self._callbacks: list[Swapped] = []
        self._marks: dict[str, Mark] = {}
        self._time = time_of_day or TimeOfDay()
        self._contact = self._files.contact()
        self._keep_to(max(self._contact.at, self._contact.seen))
        self._contact_kept_at = 0.0
        self.filling = False
        """True while a worker that held nothing fetches everything: what is unknown now may be known soon."""
        self._swap(self._from_disk())

    @property
    def ready(self) -> bool:
        return bool(self._state.held) and not self.filling

    @property
    def contact_age(self) -> float:
        """The seconds since the control plane was last heard from; -1 if it never was."""
        return self._time.now() - self._contact.at if self._contact.at else -1

    @property
    def behind(self) -> int:
        """How many organizations have, by the last contact, a newer configuration than is enforced here."""
        return len(self._contact.behind)

    def grant(self, token: bytes) -> tuple[LoadedOrganization, LoadedGrant] | None:
        state = self._state
        found = state.owners.of(token)
        if found is None:
            return None
        owner, place = found
        held = state.held[owner]
        loaded = held.loaded or self._warm(owner, held)
        grant = None if loaded is None else loaded.grants.at(place, token)
        return None if loaded is None or grant is None else (loaded, grant)

    def on_swap(self, callback: Swapped) -> None:
        """Call `callback` with each organization that was applied, once every reader sees it."""
        self._callbacks.append(callback)

    def enforced(self) -> dict[str, Envelope]:
        return {organization: held.envelope for organization, held in self._state.held.items()}

    def high_water(self) -> dict[str, int]:
        return {organization: mark.revision for organization, mark in self._marks.items()}

    async def missing_parts(self, signed: SignedBundle) -> list[str]:
        """Return digests of the bundle's grant parts not held here; none if it would be rejected anyway."""
        held = self._held_parts(signed.envelope.organization)
        try:
            named = await asyncio.to_thread(_named_parts, signed, self._keys)
        except BundleInvalid:
            return []
        return [digest for digest in named if digest not in held]

    async def apply(self, signed: SignedBundle, parts: Sequence[bytes] = ()) -> Ack:
        """Apply the bundle or keep the last good one; the ack or nack returned is for the control plane.

        `parts`: the parts of its grants that were missing here.
        """
        organization, revision = signed.envelope.organization, signed.envelope.revision
        async with self._one_at_a_time:
            try:
                await self._take(signed, parts)
            except BundleInvalid as invalid:
                return self._rejected(organization, revision, invalid.reason)
            except OSError as error:
                return self._rejected(organization, revision, f"it cannot be kept on disk: {error.strerror}")
            except Exception as error:
                _log.exception("a bundle could not be loaded")
                return self._rejected(organization, revision, f"it cannot be loaded: {type(error).__name__}")
        if len(signed.body) + sum(map(len, parts)) > _LARGE:
            await asyncio.to_thread(give_back_memory)
        return Ack(organization, revision, "applied")

    def _keep_to(self, seen: float) -> None:
        """Go on from the time that was seen here before, and say so if the clock stands far behind it."""
        behind = seen - self._time.now()
        if behind > _CLOCK_BEHIND:
            _log.warning(
                "the clock of this machine is %d s behind a time that was seen on it: until the control plane"
                " is heard, what ends does so by that time",
                behind,
            )
        self._time.is_at_least(seen)

    async def contacted(self, behind: Collection[str] = (), at: float = 0) -> None:
        """Note a contact. Renews every lease except where the newest is not enforced here (`behind`).

        `at`: the control plane's own time; 0 if it did not say.
        """
        if at:
            self._time.is_told(at)
        now = self._time.now()
        for organization, held in self._state.held.items():
            longest = now + held.envelope.lease_seconds
            # No lease is longer than this, also one that began while the clock ran ahead.
            held.lease.until = min(held.lease.until, longest) if organization in behind else longest
        self._contact = Contact(now, tuple(behind))
        if time.monotonic() - self._contact_kept_at >= _CONTACT_KEPT_EVERY:
            await self._remember()

    def still_behind(self, behind: Collection[str]) -> None:
        """Note what of the last contact is not enforced here yet, after something of it was applied."""
        self._contact = Contact(self._contact.at, tuple(behind))

    async def remember_the_time(self) -> None:
        """Keep what time it is on disk, for ever: no lease lives longer by a clock set back and a restart."""
        while True:
            try:
                await self._remember()
            except OSError as error:
                _log.warning("what time it is cannot be kept on disk: %s", error.strerror)
            await asyncio.sleep(_CONTACT_KEPT_EVERY)

    async def _remember(self) -> None:
        self._contact_kept_at = time.monotonic()
        async with self._one_contact_at_a_time:
            contact = Contact(self._contact.at, self._contact.behind, self._time.now())
            await asyncio.to_thread(self._files.remember_contact, contact)

    async def warm_all(self) -> None:
        """Compile, ahead of its first use, what was only verified at start."""
        for organization, held in list(self._state.held.items()):
            if held.loaded is None:
                try:
                    await asyncio.to_thread(_compile, held)
                except Exception:
                    self._warm(organization, held)

    async def _take(self, signed: SignedBundle, parts: Sequence[bytes]) -> None:
        envelope = signed.envelope
        known = self._state.held.get(envelope.organization)
        if known is not None and known.envelope == envelope:
            return
        lease = known.lease if known else Lease()
        body = signed.body.encode()
        fresh = await asyncio.to_thread(self._checked, envelope, body, parts, lease)
        before = self._state
        state = await asyncio.to_thread(_with, before, fresh)
        assert fresh.loaded is not None
        # When no server is served any more, keep nothing older, least of all sealed credentials.
        alone = not fresh.loaded.servers
        await asyncio.to_thread(partial(self._files.keep, envelope, body, parts, alone=alone))
        self._marks[envelope.organization] = Mark(envelope.revision, envelope.hash)
        lease.until = self._time.now() + envelope.lease_seconds
        # Another organization may have fallen back meanwhile; that must not be undone.
        self._swap(state if self._state is before else _with(self._state, fresh))
        self._tell(fresh.loaded)

    def _checked(self, envelope: Envelope, body: bytes, parts: Sequence[bytes], lease: Lease) -> _Held:
        verify(envelope, body, self._keys)
        mark = self._marks.get(envelope.organization, Mark())
        # The same bundle as the mark's may be applied again: its file may have been lost.
        if envelope.revision < mark.revision or (
            envelope.revision == mark.revision and envelope.hash != mark.hash
        ):
            raise BundleInvalid(
                f"revision {envelope.revision} does not rise above {mark.revision}, which was taken before"
            )
        bundle = decode_bundle(body)
        if bundle.organization != envelope.organization:
            raise BundleInvalid("the bundle is another organization's than its envelope says")
        held = dict(self._held_parts(envelope.organization))
        held |= {part.digest: part for part in map(load_part, parts)}
        fresh = _Held(envelope, lease, parts_of(bundle, held), bundle)
        _compile(fresh)
        return fresh

    def _held_parts(self, organization: str) -> Mapping[str, LoadedPart]:
        known = self._state.held.get(organization)
        return {part.digest: part for part in known.parts if part.digest} if known else NO_PARTS

    def _rejected(self, organization: str, revision: int, reason: str) -> Ack:
        _log.error(
            "revision %d of organization %s is refused: %s",
            revision,
            organization,
            reason,
        )
        return Ack(organization, revision, "rejected", reason)

    def _swap(self, state: _State) -> None:
        self._state = state  # one assignment: a reader sees the old configuration or the new, never a mix
        self.version = state.version

    def _tell(self, loaded: LoadedOrganization) -> None:
        for callback in self._callbacks:
            try:
                callback(loaded)
            except Exception:
                _log.exception("something that follows the configuration failed")

    def _from_disk(self) -> _State:
        held: dict[str, _Held] = {}
        owners = Owners()
        for organization in self._files.organizations():
            mark = self._files.mark(organization)
            for found in self._good(organization):
                newest = Mark(found.envelope.revision, found.envelope.hash)
                mark = max(mark, newest, key=lambda one: one.revision)
                given = owners.changed(organization, [], found.beginnings().values())
                if given is not None:
                    owners, held[organization] = given, found
                    break
            else:
                _log.error("organization %s has no usable configuration on disk", organization)
            self._marks[organization] = mark
        return _State(held, owners)

    def _good(self, organization: str) -> Iterator[_Held]:
        """Yield the bundles on disk that verify, newest first."""
        for path in self._files.paths(organization):
            try:
                envelope, body = read_bundle(path)
                verify(envelope, body, self._keys)
                bundle = decode_bundle(body)
                if not organization == envelope.organization == bundle.organization:
                    raise BundleInvalid("it is another organization's")
                held = {digest: self._part_from_disk(organization, digest) for digest in bundle.parts or ()}
                parts = parts_of(bundle, held)
            except BundleInvalid as error:
                _log.error("%s cannot be used, and the configuration before it is tried: %s", path, error)
                continue
            yield _Held(envelope, self._lease_from_disk(envelope), parts, bundle)

    def _part_from_disk(self, organization: str, digest: str) -> LoadedPart:
        part = load_part(self._files.part(organization, digest))
        if part.digest != digest:
            raise BundleInvalid(f"part {digest} of its grants was changed")
        return part

    def _lease_from_disk(self, envelope: Envelope) -> Lease:
        now = self._time.now()
        heard = 0.0 if envelope.organization in self._contact.behind else self._contact.at
        return Lease(min(now, max(envelope.not_before, heard)) + envelope.lease_seconds)

    def _warm(self, organization: str, held: _Held) -> LoadedOrganization | None:
        """Compile at first use. If it no longer loads, fall back to one that does or to none: that denies."""
        try:
            return _compile(held)
        except Exception as error:
            _log.error("organization %s does not load from disk: %s", organization, error)
            return self._fall_back(organization, held)

    def _fall_back(self, organization: str, bad: _Held) -> LoadedOrganization | None:
        current = self._state.held.get(organization)
        if current is not bad:
            # Another bundle came into force while this one compiled: never go back behind it.
            return None if current is None else self._warm(organization, current)
        for older in self._good(organization):
            if older.envelope.revision < bad.envelope.revision:
                try:
                    loaded = _compile(older)
                except Exception as error:
                    _log.error("organization %s does not load from disk: %s", organization, error)
                    continue
                self._swap(_with(self._state, older))
                return loaded
        self._swap(_without(self._state, organization))
        return None


def _named_parts(signed: SignedBundle, keys: VerifyKeys) -> tuple[str, ...]:
    body = signed.body.encode()
    verify(signed.envelope, body, keys)
    return named_parts(body)


def _compile(held: _Held) -> LoadedOrganization:
    bundle = held.bundle  # read first: another thread may compile and clear it between these lines
    if held.loaded is not None:
        return held.loaded
    assert bundle is not None
    loaded = load_bundle(bundle, held.parts, revision=held.envelope.revision)
    held.loaded = replace(loaded, lease=held.lease)
    held.bundle = None
    return held.loaded


def _with(state: _State, fresh: _Held) -> _State:
    """Replace one organization's bundle. Only parts that differ change: a policy edit leaves grants alone."""
    organization = fresh.envelope.organization
    known = state.held.get(organization)
    before = known.beginnings() if known else {}
    now = fresh.beginnings()
    gone = [some for name, some in before.items() if name not in now]
    come = [some for name, some in now.items() if name not in before]
    owners = state.owners.changed(organization, gone, come)
    if owners is None:
        raise BundleInvalid("one of its tokens is another organization's")
    return _State({**state.held, organization: fresh}, owners)


def _without(state: _State, organization: str) -> _State:
    owners = state.owners.changed(organization, state.held[organization].beginnings().values(), [])
    assert owners is not None
    return _State({name: held for name, held in state.held.items() if name != organization}, owners)
