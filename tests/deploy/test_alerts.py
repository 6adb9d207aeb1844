"""The alerts ask for metrics that a gateway has, and the runbook says what to do about each."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from ruamel.yaml import YAML

from config import counts
from config.metrics import lines
from gateway.config_store import ConfigStore
from gateway.decision_log import DecisionLog
from gateway.metrics import Metrics
from gateway_config.wire.signing import VerifyKeys
from tests.deploy.files import DEPLOY
from tests.roles import as_worker


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    (group,) = YAML(typ="safe").load(DEPLOY / "prometheus-rules.yaml")["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


async def of_a_gateway(folder: Path) -> str:
    decisions = DecisionLog(folder / "spool", worker="gw-1")
    try:
        return Metrics().text(ConfigStore(folder / "config", VerifyKeys({})), decisions)
    finally:
        decisions.close()


def test_alerts_ask_for_what_a_gateway_and_a_control_plane_that_have_just_started_already_count(
    db: None, rules: list[dict[str, Any]], tmp_path: Path
) -> None:
    text = asyncio.run(of_a_gateway(tmp_path))
    with as_worker():
        text += "\n".join(lines(timezone.now())) + "\n"
    counts.name_tasks(["servers.tasks.run_scan"])
    text += counts.text()
    declared = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    asked = {name for rule in rules for name in re.findall(r"policylayer_[a-z_]+", rule["expr"])}
    assert {name.removesuffix("_bucket") for name in asked} <= declared
    for label in {
        label
        for rule in rules
        for label in re.findall(r'{(work="\w+"|state="(?!failure)\w+")}', rule["expr"])
    }:
        assert f"{{{label}}} 0" in text, label
    assert '{state="failure",task="servers.tasks.run_scan"} 0.0' in text
    for code in {code for rule in rules for code in re.findall(r'code="(\w*)"', rule["expr"])}:
        assert f'code="{code}"}} 0\n' in text, code


def test_the_runbook_says_what_to_do_about_each_alert(rules: list[dict[str, Any]]) -> None:
    rows = re.findall(r"^\| `(PolicyLayer\w+)` \|", (DEPLOY / "RUNBOOK.md").read_text(), re.MULTILINE)
    assert rows == [rule["alert"] for rule in rules]
