"""The configuration this worker enforces: every organization's last good bundle, in memory and on disk.

A bundle is taken only when it is signed with a known key, is the organization's it says, loads as a whole,
and rises above everything this worker ever took. What is not taken changes nothing: the last good stays.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from gateway.config_files import ConfigFiles, Contact, Mark, read_bundle
from gateway.memory import give_back_memory
from gateway_config.wire.bundle import BundleInvalid, Sha256
from gateway_config.wire.loader import Lease, LoadedGrant, LoadedOrganization, load_organization
from gateway_config.wire.messages import Ack, Envelope, SignedBundle
from gateway_config.wire.signing import VerifyKeys, verify

_log: Final = logging.getLogger(__name__)

_CONTACT_KEPT_EVERY: Final = 10.0
_LARGE: Final = 4_194_304
# Who owns a token is kept in parts by its first byte, so that one organization's news copies a few of them.
_PART: Final = 1

Swapped: TypeAlias = Callable[[LoadedOrganization], None]
Owners: TypeAlias = Mapping[bytes, Mapping[bytes, str]]


class _Token(msgspec.Struct):
    token_sha256: Sha256


class _Tokens(msgspec.Struct):
    organization: str
    grants: tuple[_Token, ...] = ()


_tokens_decoder: Final = msgspec.json.Decoder(_Tokens)


@dataclass(slots=True)
class _Held:
    """One organization. What comes from disk is verified at start and compiled at its first use."""

    envelope: Envelope
    lease: Lease
    loaded: LoadedOrganization | None = None
    body: bytes = field(default=b"", repr=False)
    waiting_tokens: tuple[bytes, ...] = field(default=(), repr=False)

    def tokens(self) -> Collection[bytes]:
        return self.waiting_tokens if self.loaded is None else self.loaded.grants.keys()


@dataclass(frozen=True, slots=True)
class _State:
    held: Mapping[str, _Held]
    owners: Owners


class ConfigStore:
    def __init__(self, folder: Path, keys: VerifyKeys) -> None:
        """Reads what is on disk; a file that is no good is passed over for the one before it."""
        self._files = ConfigFiles(folder)
        self._keys = keys
        self._one_at_a_time = asyncio.Lock()
        self._callbacks: list[Swapped] = []
        self._marks: dict[str, Mark] = {}
        self._contact = self._files.contact()
        self._contact_kept_at = 0.0
        self._state = self._from_disk()

    @property
    def ready(self) -> bool:
        return bool(self._state.held)

    @property
    def last_contact(self) -> float:
        """When the control plane was last heard, in unix seconds; 0 when it never was."""
        return self._contact.at

    def grant(self, token: bytes) -> tuple[LoadedOrganization, LoadedGrant] | None:
        state = self._state
        owner = state.owners.get(token[:_PART], {}).get(token)
        if owner is None:
            return None
        loaded = state.held[owner].loaded or self._warm(owner, state.held[owner])
        found = loaded and loaded.grants.get(token)
        return (loaded, found) if loaded and found else None

    def on_swap(self, callback: Swapped) -> None:
        """Called with what just took force, after every reader sees it."""
        self._callbacks.append(callback)

    def enforced(self) -> dict[str, Envelope]:
        return {organization: held.envelope for organization, held in self._state.held.items()}

    def high_water(self) -> dict[str, int]:
        return {organization: mark.revision for organization, mark in self._marks.items()}

    async def apply(self, signed: SignedBundle) -> Ack:
        """Takes the bundle or keeps the last good, and says which; what it says is for the control plane."""
        organization, revision = signed.envelope.organization, signed.envelope.revision
        async with self._one_at_a_time:
            try:
                await self._take(signed)
            except BundleInvalid as invalid:
                return self._rejected(organization, revision, invalid.reason)
            except OSError as error:
                return self._rejected(organization, revision, f"it cannot be kept on disk: {error.strerror}")
            except Exception as error:
                _log.exception("a bundle could not be loaded")
                return self._rejected(organization, revision, f"it cannot be loaded: {type(error).__name__}")
        if len(signed.body) > _LARGE:
            await asyncio.to_thread(give_back_memory)
        return Ack(organization, revision, "applied")

    async def contacted(self, behind: Collection[str] = ()) -> None:
        """The control plane was heard. Renews every lease but of those whose newest is not enforced here."""
        now = time.time()
        for organization, held in self._state.held.items():
            if organization not in behind:
                held.lease.until = now + held.envelope.lease_seconds
        self._contact = Contact(now, tuple(behind))
        if time.monotonic() - self._contact_kept_at >= _CONTACT_KEPT_EVERY:
            self._contact_kept_at = time.monotonic()
            await asyncio.to_thread(self._files.remember_contact, self._contact)

    async def warm_all(self) -> None:
        """Compiles ahead of their first use what was only verified at start."""
        for organization, held in list(self._state.held.items()):
            if held.loaded is None:
                try:
                    loaded = await asyncio.to_thread(_load, held.envelope, held.body, held.lease)
                except Exception:
                    self._warm(organization, held)
                else:
                    _settle(held, loaded)

    async def _take(self, signed: SignedBundle) -> None:
        envelope = signed.envelope
        known = self._state.held.get(envelope.organization)
        if known is not None and known.envelope == envelope:
            return
        lease = known.lease if known else Lease()
        body = signed.body.encode()
        fresh = await asyncio.to_thread(self._checked, envelope, body, lease)
        state = await asyncio.to_thread(_with, self._state, fresh)
        assert fresh.loaded is not None
        # Where nothing is served any more, nothing that was is kept, sealed credentials least of all.
        alone = not fresh.loaded.servers
        await asyncio.to_thread(partial(self._files.keep, envelope, body, alone=alone))
        self._marks[envelope.organization] = Mark(envelope.revision, envelope.hash)
        lease.until = time.time() + envelope.lease_seconds
        self._state = state  # one assignment: a reader sees the old configuration or the new, never a mix
        self._tell(fresh.loaded)

    def _checked(self, envelope: Envelope, body: bytes, lease: Lease) -> _Held:
        verify(envelope, body, self._keys)
        mark = self._marks.get(envelope.organization, Mark())
        # The very bundle of the mark may be taken again: its file may have been lost.
        if envelope.revision < mark.revision or (
            envelope.revision == mark.revision and envelope.hash != mark.hash
        ):
            raise BundleInvalid(
                f"revision {envelope.revision} does not rise above {mark.revision}, which was taken before"
            )
        return _Held(envelope, lease, _load(envelope, body, lease))

    def _rejected(self, organization: str, revision: int, reason: str) -> Ack:
        _log.error("revision %d of organization %s is not taken: %s", revision, organization, reason)
        return Ack(organization, revision, "rejected", reason)

    def _tell(self, loaded: LoadedOrganization) -> None:
        for callback in self._callbacks:
            try:
                callback(loaded)
            except Exception:
                _log.exception("something that follows the configuration failed")

    def _from_disk(self) -> _State:
        held: dict[str, _Held] = {}
        owners: dict[bytes, dict[bytes, str]] = {}
        for organization in self._files.organizations():
            mark = self._files.mark(organization)
            for found in self._good(organization):
                newest = Mark(found.envelope.revision, found.envelope.hash)
                mark = max(mark, newest, key=lambda one: one.revision)
                if _give(owners, found.tokens(), organization):
                    held[organization] = found
                    break
            else:
                _log.error("organization %s has no usable configuration on disk", organization)
            self._marks[organization] = mark
        return _State(held, owners)

    def _good(self, organization: str) -> Iterator[_Held]:
        """What is on disk and verifies, the newest first."""
        for path in self._files.paths(organization):
            try:
                envelope, body = read_bundle(path)
                verify(envelope, body, self._keys)
                found = _tokens_decoder.decode(body)
                if not organization == envelope.organization == found.organization:
                    raise BundleInvalid("it is another organization's")
            except (BundleInvalid, msgspec.MsgspecError) as error:
                _log.error("%s is passed over: %s", path, error)
                continue
            tokens = tuple(bytes.fromhex(grant.token_sha256) for grant in found.grants)
            yield _Held(envelope, self._lease_from_disk(envelope), body=body, waiting_tokens=tokens)

    def _lease_from_disk(self, envelope: Envelope) -> Lease:
        now = time.time()
        heard = 0.0 if envelope.organization in self._contact.behind else self._contact.at
        return Lease(min(now, max(envelope.not_before, heard)) + envelope.lease_seconds)

    def _warm(self, organization: str, held: _Held) -> LoadedOrganization | None:
        """Compiles at first use. What no longer loads falls back to what does, or to nothing: that denies."""
        try:
            loaded = _load(held.envelope, held.body, held.lease)
        except Exception as error:
            _log.error("organization %s does not load from disk: %s", organization, error)
            return self._fall_back(organization, held)
        _settle(held, loaded)
        return loaded

    def _fall_back(self, organization: str, bad: _Held) -> LoadedOrganization | None:
        for older in self._good(organization):
            if older.envelope.revision < bad.envelope.revision:
                try:
                    loaded = _load(older.envelope, older.body, older.lease)
                except Exception as error:
                    _log.error("organization %s does not load from disk: %s", organization, error)
                    continue
                _settle(older, loaded)
                self._state = _with(self._state, older)
                return loaded
        self._state = _without(self._state, organization)
        return None


def _load(envelope: Envelope, body: bytes, lease: Lease) -> LoadedOrganization:
    loaded = load_organization(body, revision=envelope.revision)
    if loaded.organization != envelope.organization:
        raise BundleInvalid("the bundle is another organization's than its envelope says")
    return replace(loaded, lease=lease)


def _settle(held: _Held, loaded: LoadedOrganization) -> None:
    # The owners hold the very tokens that wait here: each is kept once.
    grants = dict(zip(held.waiting_tokens, loaded.grants.values(), strict=True))
    held.loaded = replace(loaded, grants=grants)
    held.body = b""
    held.waiting_tokens = ()


def _with(state: _State, fresh: _Held) -> _State:
    organization = fresh.envelope.organization
    known = state.held.get(organization)
    before = known.tokens() if known else ()
    now = fresh.tokens()
    owners = dict(state.owners)
    copied: dict[bytes, dict[bytes, str]] = {}
    for part in {token[:_PART] for token in (*before, *now)}:
        owners[part] = copied[part] = dict(state.owners.get(part, {}))
    for token in before:
        del copied[token[:_PART]][token]
    if not _give(copied, now, organization):
        raise BundleInvalid("one of its tokens is another organization's")
    return _State({**state.held, organization: fresh}, owners)


def _without(state: _State, organization: str) -> _State:
    owners = {
        part: {token: owner for token, owner in tokens.items() if owner != organization}
        for part, tokens in state.owners.items()
    }
    return _State({name: held for name, held in state.held.items() if name != organization}, owners)


def _give(owners: dict[bytes, dict[bytes, str]], tokens: Collection[bytes], organization: str) -> bool:
    """False, and nothing is given, where one of the tokens is somebody else's."""
    if any(token in owners.get(token[:_PART], {}) for token in tokens):
        return False
    for token in tokens:
        owners.setdefault(token[:_PART], {})[token] = organization
    return True
