import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.tokens import token_digest
from gateway.config_store import ConfigStore
from gateway_config.wire.bundle import Bundle
from gateway_config.wire.grants import LoadedPart
from gateway_config.wire.loader import LoadedOrganization, load_bundle
from gateway_config.wire.messages import SignedBundle
from gateway_config.wire.signing import SigningKey, new_signing_key
from policies.language.decide import decide
from policies.language.decision import Outcome, ToolCall
from tests.gateway_config.wire.bundles import ACME, KEYS, MALLORY, POLICY, TOKEN, acme, an_id, signed
from tests.steps import grows_no_faster_than_its_size

OLD, NEW = token_digest("old token"), token_digest("new token")


def open_store(folder: Path) -> ConfigStore:
    return ConfigStore(folder / "config", KEYS)


def revision_of(store: ConfigStore, token: bytes) -> int | None:
    found = store.grant(token)
    return found[0].revision if found else None


def bundle_files(folder: Path, organization: str = ACME) -> list[Path]:
    return sorted((folder / "config" / organization).glob("*.bundle"))


async def test_a_worker_without_a_verified_bundle_is_not_ready_and_knows_no_grant(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert not store.ready
    assert store.grant(token_digest(TOKEN)) is None


async def test_a_bundle_takes_force_with_one_swap_and_the_one_before_is_gone(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    seen: list[LoadedOrganization] = []
    store.on_swap(seen.append)
    assert (await store.apply(signed(acme(token="old token"), 1))).state == "applied"
    assert (revision_of(store, OLD), revision_of(store, NEW)) == (1, None)
    assert (await store.apply(signed(acme(token="new token"), 2))).state == "applied"
    assert (revision_of(store, OLD), revision_of(store, NEW)) == (None, 2)
    assert [organization.revision for organization in seen] == [1, 2]
    assert store.ready


async def test_a_failing_follower_does_not_stop_the_swap(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    seen: list[LoadedOrganization] = []
    store.on_swap(lambda _: 1 / 0)  # type: ignore[arg-type]
    store.on_swap(seen.append)
    assert (await store.apply(signed(acme(), 1))).state == "applied"
    assert len(seen) == 1


async def test_the_same_bundle_again_is_applied_and_swaps_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    seen: list[LoadedOrganization] = []
    store.on_swap(seen.append)
    for _ in range(2):
        assert (await store.apply(signed(acme(), 1))).state == "applied"
    assert len(seen) == 1


def _tampered(bundle: SignedBundle) -> SignedBundle:
    return msgspec.structs.replace(bundle, body=bundle.body.replace('"max', '"Max'))


MALLORYS_KEY = SigningKey.parse(new_signing_key("test"))


@pytest.mark.parametrize(
    ("bundle", "says"),
    [
        (signed(acme(token="new token"), 4), "does not rise above 5"),
        (signed(acme(token="new token"), 5), "does not rise above 5"),
        (_tampered(signed(acme(token="new token"), 6)), "not the one that was signed"),
        (signed(acme(token="new token"), 6, key=MALLORYS_KEY), "signature is wrong"),
        (signed(acme(token="new token", organization=MALLORY), 6, organization=ACME), "is another org"),
        (signed(acme(token="old token", organization=MALLORY), 1), "tokens is another organization's"),
        (signed(acme(token="new token", document="{}"), 6), "cannot be loaded"),
        (signed(acme(token="new token", organization="../../etc"), 6), "cannot be read"),
        (signed(acme(token="new token"), 6, organization="../../etc"), "another organization's"),
    ],
)  # fmt: skip
async def test_what_is_not_taken_is_told_and_the_last_good_stays(
    tmp_path: Path, bundle: SignedBundle, says: str
) -> None:
    store = open_store(tmp_path)
    await store.apply(signed(acme(token="old token"), 5))
    ack = await store.apply(bundle)
    assert ack.state == "rejected"
    assert says in ack.reason
    assert ack.revision == bundle.envelope.revision
    for worker in (store, open_store(tmp_path)):
        assert (revision_of(worker, OLD), revision_of(worker, NEW)) == (5, None)


async def test_after_a_restart_everything_is_there_without_the_control_plane(tmp_path: Path) -> None:
    await open_store(tmp_path).apply(signed(acme(), 1))
    store = open_store(tmp_path)
    assert store.ready
    found = store.grant(token_digest(TOKEN))
    assert found is not None
    assert decide(found[1].compiled, ToolCall("create_access_key", {})).outcome is Outcome.ALLOW
    assert store.high_water() == {ACME: 1}
    assert store.enforced()[ACME].revision == 1


async def test_three_revisions_are_kept_on_disk(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for revision in range(1, 7):
        await store.apply(signed(acme(token=f"token {revision}"), revision))
    assert [int(path.stem) for path in bundle_files(tmp_path)] == [4, 5, 6]


@pytest.mark.parametrize("corrupt", [b"", b"half a", b"{}\n{}", b"\xff\n\xff", b"\x00" * 4096])
async def test_a_corrupt_file_at_start_falls_back_to_the_one_before_but_never_below_the_mark(
    tmp_path: Path, corrupt: bytes
) -> None:
    store = open_store(tmp_path)
    for revision in (1, 2):
        await store.apply(signed(acme(token=f"token {revision}"), revision))
    bundle_files(tmp_path)[-1].write_bytes(corrupt)
    store = open_store(tmp_path)
    assert revision_of(store, token_digest("token 1")) == 1
    assert store.high_water() == {ACME: 2}
    assert (await store.apply(signed(acme(token="rolled back"), 2))).state == "rejected"
    assert (await store.apply(signed(acme(token="token 2"), 2))).state == "applied"
    assert revision_of(store, token_digest("token 2")) == 2


async def test_a_file_changed_on_disk_by_one_byte_is_passed_over(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for revision in (1, 2):
        await store.apply(signed(acme(token=f"token {revision}"), revision))
    newest = bundle_files(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes().replace(b'"number":3', b'"number":4'))
    assert revision_of(open_store(tmp_path), token_digest("token 1")) == 1


async def test_where_every_file_is_lost_the_mark_still_refuses_rollback(tmp_path: Path) -> None:
    await open_store(tmp_path).apply(signed(acme(), 9))
    for path in bundle_files(tmp_path):
        path.unlink()
    store = open_store(tmp_path)
    assert not store.ready
    assert store.high_water() == {ACME: 9}
    assert (await store.apply(signed(acme(token="rolled back"), 8))).state == "rejected"
    assert (await store.apply(signed(acme(), 9))).state == "applied"


async def test_one_organizations_bundle_in_anothers_folder_is_not_theirs(tmp_path: Path) -> None:
    await open_store(tmp_path).apply(signed(acme(), 1))
    (tmp_path / "config" / ACME).rename(tmp_path / "config" / MALLORY)
    assert not open_store(tmp_path).ready


async def test_what_does_not_load_any_more_falls_back_at_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    await store.apply(signed(acme(), 1))
    await store.apply(signed(acme(document=POLICY.replace("30", "31")), 2))

    def later_code(bundle: Bundle, parts: Sequence[LoadedPart], *, revision: int) -> LoadedOrganization:
        if revision == 2:
            raise ValueError("this code cannot read it")
        return load(bundle, parts, revision=revision)

    load = load_bundle
    monkeypatch.setattr("gateway.config_store.load_bundle", later_code)
    store = open_store(tmp_path)
    assert revision_of(store, token_digest(TOKEN)) == 1
    assert store.enforced()[ACME].revision == 1


async def test_what_does_not_load_any_more_takes_nothing_back_that_came_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    for revision, token in (1, "old token"), (2, "old token"):
        await store.apply(signed(acme(token=token), revision))
    store = open_store(tmp_path)
    being_warmed = store._state.held[ACME]
    await store.apply(signed(acme(token="new token"), 3))

    def later_code(bundle: Bundle, parts: Sequence[LoadedPart], *, revision: int) -> LoadedOrganization:
        raise ValueError("this code cannot read it")

    monkeypatch.setattr("gateway.config_store.load_bundle", later_code)
    warmed = store._warm(ACME, being_warmed)
    assert warmed is not None
    assert warmed.revision == 3
    assert (revision_of(store, OLD), revision_of(store, NEW)) == (None, 3)


async def test_a_bundle_that_is_taken_undoes_no_fall_back_of_another_organization(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    for revision in (1, 2):
        await store.apply(signed(acme(), revision))
    bad, keep = store._state.held[ACME], store._files.keep

    def meanwhile(*given: Any, **how: Any) -> None:
        store._fall_back(ACME, bad)
        keep(*given, **how)

    monkeypatch.setattr(store._files, "keep", meanwhile)
    await store.apply(signed(acme(organization=MALLORY, token="m"), 1))
    assert {name: bundle.revision for name, bundle in store.enforced().items()} == {ACME: 1, MALLORY: 1}


async def test_what_loads_nowhere_any_more_denies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_store(tmp_path).apply(signed(acme(), 1))
    monkeypatch.setattr("gateway.config_store.load_bundle", lambda bundle, parts, revision: 1 / 0)
    for warmed in (False, True):
        store = open_store(tmp_path)
        if warmed:
            await store.warm_all()
        assert store.grant(token_digest(TOKEN)) is None
        assert not store.ready


async def test_the_version_is_another_one_whenever_a_grant_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    first = signed(acme(token="old token"), 1)
    versions = [store.version]
    for bundle in (
        first,
        signed(acme(token="new token"), 2),
        signed(acme(organization=MALLORY, token="m"), 1),
    ):
        await store.apply(bundle)
        versions.append(store.version)
    assert len(set(versions)) == 4
    await store.apply(first)
    await store.contacted()
    assert store.version == versions[-1]
    again = open_store(tmp_path)
    before = again.version
    monkeypatch.setattr("gateway.config_store.load_bundle", lambda bundle, parts, revision: 1 / 0)
    assert again.grant(NEW) is None
    assert again.version != before


async def test_a_full_disk_is_told_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    await store.apply(signed(acme(token="old token"), 1))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.config_files._write", full)
    ack = await store.apply(signed(acme(token="new token"), 2))
    assert (ack.state, ack.reason) == ("rejected", "it cannot be kept on disk: No space left on device")
    assert (revision_of(store, OLD), revision_of(store, NEW)) == (1, None)


async def test_a_lease_runs_from_the_last_contact_and_not_where_this_worker_is_behind(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.apply(signed(acme(lease_seconds=300), 1))
    await store.apply(signed(acme(organization=MALLORY, token="mallory's", lease_seconds=600), 1))
    acmes, mallorys = store.grant(token_digest(TOKEN)), store.grant(token_digest("mallory's"))
    assert acmes and mallorys
    now = time.time()
    assert acmes[0].lease.until == pytest.approx(now + 300, abs=60)
    assert mallorys[0].lease.until == pytest.approx(now + 600, abs=60)
    acmes[0].lease.until = mallorys[0].lease.until = now - 1
    await store.contacted(behind={ACME})
    assert store.behind == 1
    assert acmes[0].lease.until < now
    assert mallorys[0].lease.until == pytest.approx(now + 600, abs=60)


async def test_a_restart_neither_ends_nor_renews_a_lease(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.apply(signed(acme(lease_seconds=300), 1, not_before=1_000))
    await store.contacted()
    found = open_store(tmp_path).grant(token_digest(TOKEN))
    assert found is not None
    assert found[0].lease.until == pytest.approx(time.time() + 300, abs=60)
    (tmp_path / "config" / "contact").unlink()
    found = open_store(tmp_path).grant(token_digest(TOKEN))
    assert found is not None
    assert found[0].lease.until == 1_300


async def test_an_envelope_from_the_future_does_not_lengthen_its_lease(tmp_path: Path) -> None:
    await open_store(tmp_path).apply(signed(acme(lease_seconds=300), 1, not_before=2**40))
    found = open_store(tmp_path).grant(token_digest(TOKEN))
    assert found is not None
    assert found[0].lease.until <= time.time() + 300


async def test_the_work_of_reading_all_organizations_grows_with_their_number_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """tests/load/restart.py measures how soon a thousand organizations are ready."""
    monkeypatch.setattr("gateway.config_files.os.fsync", lambda _: None)
    for count in (50, 200):
        store = open_store(tmp_path / str(count))
        for number in range(count):
            bundle = acme(organization=an_id(1_000_000 + number), token=f"token of {number}", grants=20)
            await store.apply(signed(bundle, 1))
    with caplog.at_level(logging.ERROR):
        assert grows_no_faster_than_its_size(lambda count: open_store(tmp_path / str(count)), 50)
    store = open_store(tmp_path / "200")
    assert store.ready
    assert revision_of(store, token_digest("token of 199 19")) == 1
    assert not caplog.records
