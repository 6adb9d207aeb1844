"""Keys are changed while everything runs: the new one seals and signs, the old goes when nothing names it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.management import CommandError, call_command

from accounts.mfa import MFAAdapter
from approvals import webhooks
from common.sealing import Keyring
from common.tokens import WORKER, is_well_formed
from config import rotation
from config.supervisor.keys import ROTATED, Keys
from gateway_config.models import ConfigRevision, Worker, WorkerStatus
from gateway_config.services import deliver
from gateway_config.tasks import signing_key
from gateway_config.wire.bundle import BundleInvalid
from gateway_config.wire.messages import Envelope
from gateway_config.wire.signing import SigningKey, VerifyKeys, verify
from gateway_config.workers import newest_bundle, worker_of_token
from policies.services import publish_policy
from servers.models import ServerCredential
from servers.services import change_server, upstream_headers
from tests.cast import Acme, Cast, confirm, inside
from tests.roles import as_owner, as_worker

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> str:
    out = StringIO()
    with as_owner():
        call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def keys(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Keys]:
    """The keys `up` keeps in a folder; called again, the processes have started anew with them."""

    def started() -> Keys:
        kept = Keys(tmp_path / "secrets.json", {})
        kept.make_missing()
        kept.worker_token("gw-1", make=True)
        settings.SEALING_KEYS = kept["SEALING_KEYS"]
        for name in ("SEALING_KEYS", "ARGUMENT_KEYS", "BUNDLE_KEYS", "SIGNING_KEY"):
            monkeypatch.setenv(name, kept[name])
        return kept

    started()
    return started


@pytest.fixture
def published(keys: Callable[[], Keys], acme: Acme, cast: Cast) -> None:
    with inside(cast.alice):
        change_server(cast.alice, acme.server, headers={"Authorization": "Bearer s3cret"})
        confirm(cast.alice)
        webhooks.add_webhook(cast.alice, "https://example.com/hook", verified=True)
        publish_policy(cast.alice, acme.policy)
    publish(cast)


def publish(cast: Cast) -> ConfigRevision | None:
    with as_worker():
        return deliver(cast.alice.organization_id, signing_key())


def newest(cast: Cast) -> tuple[Envelope, bytes]:
    with as_worker():
        found = newest_bundle(cast.alice.organization_id)
    assert found is not None
    return found.envelope, found.body.encode()


def test_two_signing_keys_are_in_force_while_one_follows_the_other(
    published: None, keys: Callable[[], Keys], cast: Cast, tmp_path: Path
) -> None:
    before, folder = newest(cast), str(tmp_path)
    only_old = VerifyKeys.parse(keys()["VERIFY_KEYS"])
    run("keys", "rotate", "SIGNING_KEY", "--data-dir", folder)
    both = VerifyKeys.parse(keys()["VERIFY_KEYS"])
    verify(*before, both)
    assert run("keys", "republish") == "2 organizations are looked through.\n"
    publish(cast)
    after = newest(cast)
    assert after[0].revision == before[0].revision + 1 and after[1] == before[1], "same content, signed anew"
    verify(*after, both)
    with pytest.raises(BundleInvalid, match="does not know"):
        verify(*after, only_old)
    run("keys", "retire", "SIGNING_KEY", "--data-dir", folder)
    only_new = VerifyKeys.parse(keys()["VERIFY_KEYS"])
    verify(*after, only_new)
    with pytest.raises(BundleInvalid, match="does not know"):
        verify(*before, only_new)


def test_everything_sealed_is_sealed_anew_and_the_old_key_opens_nothing(
    published: None, keys: Callable[[], Keys], acme: Acme, cast: Cast, tmp_path: Path
) -> None:
    folder, old = str(tmp_path), Keyring.parse(keys()["SEALING_KEYS"])
    run("keys", "rotate", "SEALING_KEYS", "--data-dir", folder)
    keys()
    with pytest.raises(CommandError, match="is still in use"):
        run("keys", "retire", "SEALING_KEYS", "--data-dir", folder)
    assert run("keys", "reseal") == "2 sealed again, 0 could not be opened.\n"
    assert run("keys", "reseal") == "0 sealed again, 0 could not be opened.\n"
    run("keys", "retire", "SEALING_KEYS", "--data-dir", folder)
    fresh = Keyring.parse(keys()["SEALING_KEYS"])
    assert list(fresh.keys) == [fresh.first] and fresh.first != old.first
    with inside(cast.alice):
        assert upstream_headers(acme.server) == {"Authorization": "Bearer s3cret"}


@pytest.mark.parametrize("name", ["SEALING_KEYS", "ARGUMENT_KEYS"])
def test_what_runs_with_the_old_key_alone_keeps_it(
    keys: Callable[[], Keys], db: None, name: str, tmp_path: Path
) -> None:
    """Nothing is sealed with it yet, and in the next moment something is."""
    old = keys().old_ids(name)
    run("keys", "rotate", name, "--data-dir", str(tmp_path))
    with pytest.raises(CommandError, match=f"{name}: what runs has only the old one"):
        run("keys", "retire", name, "--data-dir", str(tmp_path))
    kept = keys()
    assert kept.old_ids(name) != old
    assert "gone from the next start" in run("keys", "retire", name, "--data-dir", str(tmp_path))


def test_the_secret_a_webhook_had_before_keeps_its_key(
    keys: Callable[[], Keys], cast: Cast, tmp_path: Path
) -> None:
    folder = str(tmp_path)
    with inside(cast.alice):
        confirm(cast.alice)
        hook, _ = webhooks.add_webhook(cast.alice, "https://example.com/hook", verified=True)
    run("keys", "rotate", "SEALING_KEYS", "--data-dir", folder)
    fresh = Keyring.parse(keys()["SEALING_KEYS"]).first
    with inside(cast.alice):
        webhooks.rotate_secret(cast.alice, hook)
        hook.refresh_from_db()
    assert hook.sealed_secret.startswith(f"v1.{fresh}.") and not hook.sealed_earlier.startswith(
        f"v1.{fresh}."
    )
    with pytest.raises(CommandError, match="is still in use"):
        run("keys", "retire", "SEALING_KEYS", "--data-dir", folder)


def test_second_factors_are_sealed_anew(keys: Callable[[], Keys], cast: Cast, tmp_path: Path) -> None:
    sealed = MFAAdapter().encrypt("JBSWY3DP")
    made = Authenticator.objects.create(user=cast.alice.user, type="totp", data={"secret": sealed, "n": 1})
    run("keys", "rotate", "SEALING_KEYS", "--data-dir", str(tmp_path))
    fresh = Keyring.parse(keys()["SEALING_KEYS"]).first
    with pytest.raises(CommandError, match="is still in use"):
        run("keys", "retire", "SEALING_KEYS", "--data-dir", str(tmp_path))
    assert run("keys", "reseal") == "1 sealed again, 0 could not be opened.\n"
    made.refresh_from_db()
    assert made.data["secret"].startswith(f"v1.{fresh}.") and made.data["n"] == 1
    assert MFAAdapter().decrypt(made.data["secret"]) == "JBSWY3DP"


def test_what_does_not_open_is_counted_and_left_as_it_is(
    published: None, keys: Callable[[], Keys], cast: Cast, tmp_path: Path
) -> None:
    with inside(cast.alice):
        ServerCredential.objects.update(sealed="v1.lost.AAAA.AAAA")
    run("keys", "rotate", "SEALING_KEYS", "--data-dir", str(tmp_path))
    keys()
    assert run("keys", "reseal") == "1 sealed again, 1 could not be opened.\n"
    assert "credentials of servers: lost 1" in run("keys", "status")


def test_credentials_in_bundles_follow_their_own_keys(
    published: None, keys: Callable[[], Keys], cast: Cast, tmp_path: Path
) -> None:
    folder = str(tmp_path)
    run("keys", "rotate", "BUNDLE_KEYS", "--data-dir", folder)
    fresh = Keyring.parse(keys()["BUNDLE_KEYS"]).first
    assert fresh not in run("keys", "status")
    run("keys", "republish")
    publish(cast)
    assert f"credentials in configurations: {fresh} 1" in run("keys", "status")
    assert f'"v1.{fresh}.' in newest(cast)[1].decode()


def test_a_key_that_a_gateway_may_still_need_is_not_retired(
    published: None, keys: Callable[[], Keys], cast: Cast, tmp_path: Path
) -> None:
    run("gateway", "enroll", "gw-1")
    run("keys", "rotate", "SIGNING_KEY", "--data-dir", str(tmp_path))
    keys()
    run("keys", "republish")
    publish(cast)
    assert "gateways behind: gw-1" in run("keys", "status")
    with pytest.raises(CommandError, match="gw-1 may still need the old one"):
        run("keys", "retire", "SIGNING_KEY", "--data-dir", str(tmp_path))
    with as_worker():
        WorkerStatus.objects.create(
            worker=Worker.objects.get(),
            organization_id=cast.alice.organization_id,
            revision=newest(cast)[0].revision,
            state="applied",
        )
    assert "gateways behind: none" in run("keys", "status")
    run("keys", "retire", "--data-dir", str(tmp_path))


def test_tokens_of_gateways_are_exchanged_and_taken_away(
    keys: Callable[[], Keys], db: None, tmp_path: Path
) -> None:
    first, second = run("gateway", "enroll", "gw-9").strip(), run("gateway", "enroll", "gw-9").strip()
    assert is_well_formed(second, WORKER)
    with as_worker():
        assert worker_of_token(first) is None and worker_of_token(second) is not None
    assert "gw-9  seen never" in run("gateway", "list")
    assert "until its leases end" in run("gateway", "remove", "gw-9")
    with as_worker():
        assert worker_of_token(second) is None
    assert "gw-9  removed" in run("gateway", "list")
    with pytest.raises(CommandError, match="There is no gateway gw-9"):
        run("gateway", "remove", "gw-9")
    with pytest.raises(CommandError, match="must be 1 to 60 letters"):
        run("gateway", "enroll", "a/b")
    kept = keys().worker_token("gw-1", make=False)
    run("keys", "rotate", "WORKER_TOKENS", "--data-dir", str(tmp_path))
    assert keys().worker_token("gw-1", make=False) != kept


def test_keys_kept_elsewhere_are_changed_there(db: None, tmp_path: Path) -> None:
    for arguments, said in (
        (("rotate",), "--data-dir"),
        (("rotate", "--data-dir", str(tmp_path)), "where they are kept"),
    ):
        with pytest.raises(CommandError, match=said):
            run("keys", *arguments)
    (tmp_path / "secrets.json").write_text(json.dumps({}))
    for name, said in (("SIGNING_KEY", "not kept here"), ("SECRET_KEY", "There is no SECRET_KEY")):
        with pytest.raises(CommandError, match=said):
            run("keys", "rotate", name, "--data-dir", str(tmp_path))


def test_all_are_rotated_at_once_and_stay_private(keys: Callable[[], Keys], db: None, tmp_path: Path) -> None:
    before = json.loads((tmp_path / "secrets.json").read_text())
    run("keys", "rotate", "--data-dir", str(tmp_path))
    after = json.loads((tmp_path / "secrets.json").read_text())
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {*ROTATED} - {"WORKER_TOKENS"} | {"WORKER_TOKEN gw-1", "OLD_VERIFY_KEYS"}
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0
    SigningKey.parse(after["SIGNING_KEY"])


def test_whoever_seals_with_the_databases_keys_is_known_where_they_are_changed() -> None:
    """Or a key would be retired while something of theirs still needs it: see config.rotation.SEALED."""
    found = subprocess.run(
        ["git", "grep", "-l", "SEALING_KEYS", "--", "*.py", ":!tests", ":!config"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(found) == {
        "accounts/mfa.py",
        "approvals/webhooks.py",
        "gateway_config/build.py",
        "servers/services.py",
    }
    columns = {(column.model, column.field) for column in rotation.SEALED}

    sealed = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.name.startswith("sealed")
    }
    assert sealed == columns
