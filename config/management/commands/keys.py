"""Changes the keys that seal and sign; docs/admin/keys.md says in which order."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import env, rotation
from config.supervisor.keys import ROTATED, Keys
from config.supervisor.stops import CannotStart

# Where keys of each kind are named, as counted by `rotation.keys_in_use`.
NAMED_BY = {
    "SEALING_KEYS": (*rotation.sealed_with("SEALING_KEYS"), "second factors"),
    "ARGUMENT_KEYS": rotation.sealed_with("ARGUMENT_KEYS"),
    "BUNDLE_KEYS": ("credentials in configurations",),
    "SIGNING_KEY": ("signatures of configurations",),
}


class Command(BaseCommand):
    help = "Shows which keys are in use, seals and signs again, and changes the keys `up` keeps."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("status", help="How often each key is named, and which gateways are behind.")
        acts.add_parser("reseal", help="Seals everything in the database with the first key.")
        acts.add_parser("republish", help="Signs every organization's configuration with the key in force.")
        rotate = acts.add_parser("rotate", help="Puts a new key in front, for `up` to start with.")
        retire = acts.add_parser("retire", help="Forgets the old keys, once nothing names them.")
        for several in (rotate, retire):
            several.add_argument("name", nargs="*", help=f"Of {', '.join(ROTATED)}; left out: all.")
        for act in acts.choices.values():
            act.add_argument("--data-dir", help="The data folder of the running product to work on.")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["act"]:
            case "status":
                self._status()
            case "reseal":
                done = rotation.reseal()
                self.stdout.write(
                    f"{done.sealed_anew} sealed again, {done.does_not_open} could not be opened."
                )
            case "republish":
                self.stdout.write(f"{rotation.republish_all()} organizations are looked through.")
            case act:
                keys = _keys_kept_by_up(options["data_dir"])
                try:
                    self._change(act, _names(options["name"]), keys)
                except CannotStart as problem:
                    raise CommandError(str(problem)) from None

    def _status(self) -> None:
        for what, counts in rotation.keys_in_use().items():
            shown = ", ".join(f"{key} {count}" for key, count in sorted(counts.items())) or "none"
            self.stdout.write(f"{what}: {shown}")
        self.stdout.write(f"gateways behind: {', '.join(rotation.behind()) or 'none'}")

    def _change(self, act: str, names: list[str], keys: Keys) -> None:
        if act == "retire":
            self._retire(names, keys)
        else:
            for name in names:
                keys.rotate(name)
                self.stdout.write(f"{name}: there is a new one from the next start.")

    def _retire(self, names: list[str], keys: Keys) -> None:
        in_use, late = rotation.keys_in_use(), rotation.behind()
        for name in [name for name in names if name in NAMED_BY]:
            named = {key for what in NAMED_BY[name] for key in in_use[what]} & keys.old_ids(name)
            if named:
                raise CommandError(f"{name}: {', '.join(sorted(named))} is still in use: reseal, republish.")
            if keys.old_ids(name) and _is_still_sealed_with(name, keys):
                raise CommandError(f"{name}: what runs has only the old one: stop it, and start it again.")
            if late and name in ("BUNDLE_KEYS", "SIGNING_KEY") and keys.old_ids(name):
                raise CommandError(f"{name}: {', '.join(late)} may still need the old one.")
            keys.retire_old(name)
            self.stdout.write(f"{name}: the old keys are gone from the next start.")


def _is_still_sealed_with(name: str, keys: Keys) -> bool:
    """Return whether running processes, not restarted yet, still seal rows with the old key.

    Only keys of rows in the database matter: configurations can be signed and sealed again at any time.
    """
    in_database = name in ("SEALING_KEYS", "ARGUMENT_KEYS")
    return in_database and env.text(name).partition(":")[0] != keys[name].partition(":")[0]


def _keys_kept_by_up(data_dir: str | None) -> Keys:
    if not data_dir:
        raise CommandError(
            "Name the folder of the product with --data-dir; keys kept elsewhere change there."
        )
    file = Path(data_dir) / "secrets.json"
    if not file.exists():
        raise CommandError(f"There is no {file}: change the keys where they are kept.")
    try:
        return Keys(file, {})
    except CannotStart as problem:
        raise CommandError(str(problem)) from None


def _names(given: list[str]) -> list[str]:
    if unknown := sorted({*given} - {*ROTATED}):
        raise CommandError(f"There is no {unknown[0]} to change.")
    return given or list(ROTATED)
