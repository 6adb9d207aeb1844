"""A gateway fetches, stores and reads the parts of many grants: each once, and only those that changed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from common.tokens import token_digest
from gateway.config_store import ConfigStore
from gateway_config.wire.bundle import Bundle
from gateway_config.wire.grants import part_digest
from tests.gateway.test_config_feed import Control, following, until
from tests.gateway_config.wire.bundles import ACME, KEYS, POLICY, TOKEN, acme, in_parts, signed

MANY = acme(grants=300)
BUNDLE, PARTS = in_parts(MANY)
FEWER, OTHER_PARTS = in_parts(msgspec.structs.replace(MANY, grants=MANY.grants[1:]))


def edited(bundle: Bundle) -> Bundle:
    return msgspec.structs.replace(bundle, policies=acme(document=POLICY.replace("30", "31")).policies)


def open_store(folder: Path) -> ConfigStore:
    return ConfigStore(folder / "config", KEYS)


def revision_of(store: ConfigStore, token: str = TOKEN) -> int | None:
    found = store.grant(token_digest(token))
    return found[0].revision if found else None


def kept(folder: Path) -> set[str]:
    return {path.name for path in (folder / "config" / ACME / "grants").glob("*")}


async def test_every_grant_is_found_also_after_a_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert await store.missing_parts(signed(BUNDLE, 1)) == [part_digest(part) for part in PARTS]
    assert (await store.apply(signed(BUNDLE, 1), PARTS)).state == "applied"
    for worker in (store, open_store(tmp_path)):
        assert all(
            revision_of(worker, name) == 1 for name in (TOKEN, *(f"{TOKEN} {n}" for n in range(1, 300)))
        )
        assert revision_of(worker, "nobody's") is None


async def test_an_edit_of_a_policy_lacks_no_part_and_writes_none(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.apply(signed(BUNDLE, 1), PARTS)
    files = [(path, path.stat().st_mtime_ns) for path in (tmp_path / "config" / ACME / "grants").iterdir()]
    assert await store.missing_parts(signed(edited(BUNDLE), 2)) == []
    assert (await store.apply(signed(edited(BUNDLE), 2))).state == "applied"
    assert revision_of(store) == 2
    assert [(path, path.stat().st_mtime_ns) for path, _ in files] == files


async def test_a_revoked_grant_changes_one_part_and_is_gone_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.apply(signed(BUNDLE, 1), PARTS)
    missing = await store.missing_parts(signed(FEWER, 2))
    assert len(missing) == 1
    new = [part for part in OTHER_PARTS if part_digest(part) in missing]
    assert (await store.apply(signed(FEWER, 2), new)).state == "applied"
    assert (revision_of(store), revision_of(store, f"{TOKEN} 1")) == (None, 2)
    assert revision_of(open_store(tmp_path)) is None


async def test_parts_that_no_kept_revision_names_are_let_go_of(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.apply(signed(BUNDLE, 1), PARTS)
    assert kept(tmp_path) == {part_digest(part) for part in PARTS}
    for revision in range(2, 6):
        await store.apply(signed(FEWER, revision), OTHER_PARTS)
    assert kept(tmp_path) == {part_digest(part) for part in OTHER_PARTS}
    await store.apply(signed(Bundle(organization=ACME), 6))
    assert kept(tmp_path) == set()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (PARTS[1:], "is missing"),
        ([PARTS[0] + b" ", *PARTS[1:]], "is missing"),
        ([b"{}", *PARTS[1:]], "cannot be read"),
        ([], "is missing"),
    ],
)
async def test_a_part_that_is_not_the_named_one_is_told_and_the_last_good_stays(
    tmp_path: Path, parts: list[bytes], says: str
) -> None:
    store = open_store(tmp_path)
    await store.apply(signed(acme(token="old"), 1))
    ack = await store.apply(signed(BUNDLE, 2), parts)
    assert ack.state == "rejected" and says in ack.reason
    assert (revision_of(store, "old"), revision_of(store)) == (1, None)
    assert kept(tmp_path) == set()


@pytest.mark.parametrize("damage", ["lost", "changed", "swapped"])
async def test_a_part_damaged_on_disk_falls_back_and_is_fetched_again(tmp_path: Path, damage: str) -> None:
    store = open_store(tmp_path)
    await store.apply(signed(BUNDLE, 1), PARTS)
    await store.apply(signed(FEWER, 2), OTHER_PARTS)
    (new,) = {part_digest(part) for part in OTHER_PARTS} - {part_digest(part) for part in PARTS}
    file = tmp_path / "config" / ACME / "grants" / new
    match damage:
        case "lost":
            file.unlink()
        case "changed":
            file.write_bytes(file.read_bytes().replace(b",0,null]", b",0,9999]", 1))
        case _:
            file.write_bytes(PARTS[0])
    store = open_store(tmp_path)
    assert revision_of(store) == 1
    assert await store.missing_parts(signed(FEWER, 2)) == [new]
    assert (
        await store.apply(signed(FEWER, 2), [one for one in OTHER_PARTS if part_digest(one) == new])
    ).state == "applied"
    assert (revision_of(store), revision_of(open_store(tmp_path), f"{TOKEN} 1")) == (None, 2)


async def test_a_bundle_nobody_signed_names_no_part_to_ask_for(tmp_path: Path) -> None:
    bundle = signed(BUNDLE, 1)
    forged = msgspec.structs.replace(bundle, body=bundle.body.replace('"format":2', '"format":2 '))
    assert await open_store(tmp_path).missing_parts(forged) == []


async def test_the_feed_fetches_what_is_missing_and_no_more(tmp_path: Path) -> None:
    control = Control()
    control.parts = {part_digest(part): part for part in (*PARTS, *OTHER_PARTS)}
    control.publish(signed(BUNDLE, 1))
    async with following(control, tmp_path) as store:
        await until(lambda: revision_of(store) == 1)
        assert len(control.fetched_parts) == len(PARTS)
        control.publish(signed(edited(BUNDLE), 2))
        await until(lambda: revision_of(store) == 2)
        assert len(control.fetched_parts) == len(PARTS)
        control.publish(signed(FEWER, 3))
        await until(lambda: revision_of(store, f"{TOKEN} 1") == 3)
        assert len(control.fetched_parts) == len(PARTS) + 1
