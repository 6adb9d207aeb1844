"""The points where a process of the product can be killed as an edit goes from the click to the last ack.

`before` kills it as the function is entered, `after` when it has returned, in whichever process gets there
first. The product knows nothing about this: see inside/sitecustomize.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Point:
    module: str
    name: str
    when: Literal["before", "after"] = "before"


POINTS: Final = {
    "save": Point("gateway_config.services", "request_publish"),
    "saved, not committed": Point("gateway_config.services", "request_publish", "after"),
    "commit, nothing enqueued": Point("gateway_config.services", "start_publishing"),
    "enqueue": Point("gateway_config.services", "start_publishing", "after"),
    "taken up": Point("gateway_config.services", "publish_newest"),
    "build": Point("gateway_config.services", "build_bundle"),
    "built": Point("gateway_config.services", "check_loads"),
    "sign": Point("gateway_config.services", "sign"),
    "store": Point("gateway_config.services", "keep_commit_order"),
    "notify": Point("gateway_config.services", "notify", "after"),
    "stored and told": Point("gateway_config.services", "publish_newest", "after"),
    "asked for heads": Point("gateway_config.workers", "heads_after", "after"),
    "fetch": Point("gateway.control_plane", "ControlPlane.bundle"),
    "fetched": Point("gateway.control_plane", "ControlPlane.bundle", "after"),
    "answering a fetch": Point("gateway_config.workers", "newest_bundle"),
    "verify": Point("gateway.config_store", "verify"),
    "verified": Point("gateway.config_store", "verify", "after"),
    "persist": Point("gateway.config_files", "ConfigFiles.keep"),
    "half persisted": Point("gateway.config_files", "_fsync"),
    "swap": Point("gateway.config_files", "ConfigFiles.keep", "after"),
    "ack": Point("gateway.control_plane", "ControlPlane.acks"),
    "acked": Point("gateway.control_plane", "ControlPlane.acks", "after"),
    "ack taken": Point("gateway_config.workers", "note_acks"),
}

# More points, for grants in parts beside the bundle.
PART_POINTS: Final = {
    "parts stored": Point("gateway_config.services", "_store_parts", "after"),
    "ask for a part": Point("gateway.control_plane", "ControlPlane.grants"),
    "a part fetched": Point("gateway.control_plane", "ControlPlane.grants", "after"),
    "answering with a part": Point("gateway_config.workers", "grant_part"),
    "parts persisted": Point("gateway.config_files", "_keep_parts", "after"),
}
