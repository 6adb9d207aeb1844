"""The contracts of `.importlinter` speak of everything that is there."""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NO_ROOMS = {"tests", "static", "templates", "frontend", "docs", "deploy", "node_modules"}
PURE = (
    "policies.language",
    "gateway_config.wire",
    "gateway.protocol",
    "common.egress",
    "common.sealing",
    "common.tokens",
    "catalog.classify",
    "catalog.recommend",
    "catalog.faq",
)


def contracts() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def test_every_package_is_under_contract() -> None:
    packages = {folder.parent.name for folder in ROOT.glob("[!.]*/__init__.py")} - NO_ROOMS
    assert packages <= set(contracts()["importlinter"]["root_packages"].split())


def test_every_pure_room_that_exists_is_held_to_it() -> None:
    exist = {room for room in PURE if _exists(ROOT / room.replace(".", "/"))}
    assert exist <= set(contracts()["importlinter:contract:pure-rooms"]["source_modules"].split())


def _exists(room: Path) -> bool:
    return room.is_dir() or room.with_suffix(".py").exists()
